"""The code location, which the process of each run loads."""

import subprocess
import sys


def test_the_code_location_is_loaded_without_scikit_learn() -> None:
    """Importing it takes about as long as all else, and only models need it."""
    script = (
        "import sys\n"
        "import fitness_assets.definitions\n"
        "print({'joblib', 'matplotlib', 'scipy', 'sklearn', 'skops'} & sys.modules.keys() or '')"
    )
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == ""
