"""`fitness release`."""

from typing import TYPE_CHECKING

import click

from fitness_assets.cli.terminal import say
from fitness_assets.months import text_until
from fitness_assets.settings import Settings

if TYPE_CHECKING:
    from fitness_assets.workspace import Workspace


@click.group()
def release() -> None:
    """List releases, and choose the one that the dashboard shows first."""


@release.command("list")
def list_releases() -> None:
    """List the releases, with the digest that a consumer may pin.

    The list marks the current release, which the dashboard shows first.
    """
    workspace = _workspace()
    pointer = workspace.releases.pointer()
    if pointer is None:
        say(f"{workspace.releases.root} holds no release yet")
        return
    for month, digest in sorted(pointer.releases.items()):
        info = workspace.releases.open(month).info
        missing = "".join(
            f"; {name} not released"
            + (f", fallback {info.fallbacks[name]}" if name in info.fallbacks else "")
            for name in info.not_released
        )
        if info.partial_until is not None:
            missing = f"; PARTIAL, {text_until(info.partial_until)}{missing}"
        mark = "current" if month == pointer.month else ""
        say(f"{month}  {mark:<7}  {digest}{missing}")


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


def _workspace() -> "Workspace":
    settings = Settings.from_env()
    from fitness_assets.workspace import Workspace

    return Workspace.of(settings)
