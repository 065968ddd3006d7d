"""`fitness release`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fitness_assets.cli.terminal import say
from fitness_assets.errors import ReleaseError
from fitness_assets.months import text_until
from fitness_assets.settings import Settings

if TYPE_CHECKING:
    from fitness_assets.workspace import Workspace


@click.group()
def release() -> None:
    """List releases, choose the one that the dashboard shows first, and export their models."""


@release.command("list")
def list_releases() -> None:
    """List the releases and their private bundles, with the digest that a consumer may pin.

    The list marks the current release, which the dashboard shows first, and private bundles, which
    have the rows of people.
    """
    workspace = _workspace()
    pointer = workspace.releases.pointer()
    if pointer is None:
        say(f"{workspace.releases.root} holds no release yet")
        return
    for month, digest in sorted(pointer.releases.items()):
        info = workspace.releases.open(month).info
        missing = "".join(
            f"; {name} not released ({reason})"
            + (f", fallback {info.fallbacks[name]}" if name in info.fallbacks else "")
            for name, reason in info.not_released.items()
        )
        if info.partial_until is not None:
            missing = f"; PARTIAL, {text_until(info.partial_until)}{missing}"
        mark = "current" if month == pointer.month else ""
        say(f"{month}  {mark:<7}  {digest}{missing}")
        if (private := workspace.people.digest(month)) is not None:
            say(f"{month}  {'private':<7}  {private}")


@release.command()
@click.argument("month")
def rollback(month: str) -> None:
    """Make the release of MONTH the current one, locally and in the upload target.

    A release of MONTH or a later month with new content becomes current again.
    """
    workspace = _workspace()
    workspace.releases.set_current(month)
    workspace.uploads.set_current(month)
    say(f"the release of {month} is current")


@release.command("export")
@click.argument("model")
@click.option(
    "--onnx",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="The file to write; an existing file is replaced.",
)
@click.option(
    "--release", "month", metavar="MONTH", help="The release.  [default: the current one]"
)
def export_model(model: str, path: Path, month: str | None) -> None:
    """Write MODEL of a release as ONNX.

    MODEL is calorie_regressor or activity_classifier; segment_model is not exported. Inputs are the
    features, each of shape (n, 1): numbers as float64, with NaN where missing, and categories as
    text, empty where missing. Predictions equal those of the release within float32. The metadata
    has the features with their units and ranges, the interval, the month and the data versions.
    Needs the extra onnx.
    """
    workspace = _workspace()
    from fitness_assets.cli.output_file import replacing
    from fitness_assets.cli.released_model import check_forest, open_forest

    check_forest(model)
    try:
        from fitness_assets.models.onnx_export.convert import to_onnx
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ReleaseError("ONNX needs an extra: pip install fitness_assets[onnx]") from error
    forest = open_forest(workspace.releases, model, month, workspace.people)
    built = to_onnx(forest.model, forest.metrics, model, forest.properties())
    with replacing(path) as file:
        file.write(built.SerializeToString(deterministic=True))
    if forest.note:
        say(forest.note, err=True)
    say(f"{path}: the {model} of {forest.month}")


def _workspace() -> "Workspace":
    settings = Settings.from_env()
    from fitness_assets.workspace import Workspace

    return Workspace.of(settings)
