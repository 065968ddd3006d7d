"""Start a Spark session and run a small job: ``python -m fitness_assets.spark.start FOLDER``.

Nothing is written but in FOLDER, which stands for the folder of Java's launcher in the home.
"""

import sys
from pathlib import Path

from fitness_assets.settings import Settings
from fitness_assets.spark.session import spark_resource


def main(folder: Path) -> None:
    """Start the configured session, and count a few rows."""
    settings = Settings.from_env()
    resource = spark_resource(settings).model_copy(update={"state": str(folder)})
    session = resource.spark_session
    try:
        session.range(10, numPartitions=1).count()
    finally:
        session.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
