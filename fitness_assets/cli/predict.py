"""`fitness predict`."""

import sys
from contextlib import nullcontext
from pathlib import Path

import click

from fitness_assets.cli.terminal import say
from fitness_assets.errors import SourceError
from fitness_assets.formatting import number
from fitness_assets.settings import Settings


@click.command()
@click.argument("model")
@click.argument("path", metavar="INPUT", type=click.Path(path_type=Path))
@click.option(
    "--release", "month", metavar="MONTH", help="The release.  [default: the current one]"
)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="The .csv or .parquet to write; an existing file is replaced.  [default: standard output]",
)
def predict(model: str, path: Path, month: str | None, to: Path | None) -> None:
    """Predict the rows of INPUT, a .csv or .parquet, with MODEL of a release.

    MODEL is calorie_regressor or activity_classifier. A row is one day of one user, with columns
    named and in units as in daily_activity: steps, distance_km, calories_burned (kcal),
    heart_rate_avg, resting_heart_rate, sleep_hours, active_minutes, sedentary_minutes,
    activity_type, day_of_week (1 Monday), sex, age, height_cm, weight_kg, and the trailing means
    steps_mean_28d, calories_burned_mean_7d and calories_burned_mean_28d. Others are copied.

    The regressor adds predicted_calories_burned and the bounds of its interval, predicted_low and
    predicted_high; the classifier predicted_activity_type and a probability for each activity. The
    column extrapolated names the values of a row that lie outside the training range.
    """
    settings = Settings.from_env()
    from fitness_assets.cli.progress import bytes_bar
    from fitness_assets.cli.released_model import check_forest, open_forest
    from fitness_assets.cli.row_batches import SUFFIXES, open_rows
    from fitness_assets.cli.scoring import notes, score
    from fitness_assets.workspace import Workspace

    check_forest(model)
    if to is not None and to.suffix.lower() not in SUFFIXES:
        raise SourceError(f"--to {to} is neither .csv nor .parquet")
    source = open_rows(path)
    with source.file:
        if to is not None and to.exists() and to.samefile(path):
            raise SourceError(f"--to {to} is the input")
        workspace = Workspace.of(settings)
        forest = open_forest(workspace.releases, model, month, workspace.people)
        # On the terminal, but not among the rows that it shows.
        shown = sys.stderr.isatty() and not (to is None and sys.stdout.isatty())
        with bytes_bar(path.name) if shown else nullcontext(_ignore) as progress:
            found = score(forest, source, to, progress)
    if forest.note:
        say(forest.note, err=True)
    for line in notes(found, forest.metrics.inputs):
        say(f"{path}: {line}", err=True)
    if to is not None:
        say(f"{to}: {number(found.rows)} rows")


def _ignore(_done: int, _total: int) -> None:
    """Show no progress."""
