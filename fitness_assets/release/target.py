"""The interfaces of a release target: where releases are uploaded to and read from.

A target is one module of `fitness_assets.release.targets` with the functions of `TargetModule`;
`fitness_assets.release.registry` discovers it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fitness_assets.release.bundle import Release
from fitness_assets.release.pointer import Pointer
from fitness_assets.storage.publication import Manifest

#: Limit on the size of ``latest.json``, in bytes.
MAX_POINTER_BYTES = 1_000_000


@dataclass(frozen=True)
class UploadResult:
    """The result of an upload.

    Attributes
    ----------
    link : str
        Link or path of the pointer at the target: a `FITNESS_RELEASE_SOURCE` for a dashboard.
    sent : int
        Bytes of content that the target did not have yet.
    manifest : Manifest
        The manifest at the target.
    """

    link: str
    sent: int
    manifest: Manifest


class Target(Protocol):
    """A place to upload releases to."""

    def upload(
        self, release: Release, log: Callable[[str], object] | None = None, /
    ) -> UploadResult:
        """Upload `release` and update the pointer last.

        Parameters
        ----------
        release : Release
        log : callable, optional
            Called with a message for each step of the upload.

        Raises
        ------
        FitnessError
            If the upload fails. The pointer at the target is unchanged then.
        """
        ...

    def set_current(self, month: str) -> None:
        """Make the release of `month` the current one."""

    def remove(self, month: str) -> None:
        """Remove the release of `month`, if there is one."""

    def manifest(self, month: str) -> Manifest | None:
        """The manifest of the release of `month`, or None if there is none."""


class Origin(Protocol):
    """A place to read releases from."""

    def pointer(self) -> bytes | None:
        """The content of ``latest.json``, or None if nothing has been released."""

    def read(self, path: str, pointer: Pointer, max_bytes: int) -> bytes:
        """The content of one file.

        Parameters
        ----------
        path : str
            Path of the file below the root of the releases.
        pointer : Pointer
            The origin's pointer.
        max_bytes : int
            Limit on the size of the file.

        Raises
        ------
        ReleaseError
            If the file cannot be read, or is larger than `max_bytes`.
        """
        ...


class TargetModule(Protocol):
    """What a module of `fitness_assets.release.targets` defines.

    Attributes
    ----------
    SOURCE : str
        What a release source of this target looks like, for error messages.
    """

    SOURCE: str

    def origin(self, source: str, credentials: Path | None = None, /) -> Origin | None:
        """The origin that `source` names, or None if `source` is not of this target.

        With `credentials` it reads what only named readers may read.
        """

    def upload_target(self, settings: Any, /) -> Target | None:
        """The target that the settings configure, or None if they do not configure this one."""

    def people_target(self, settings: Any, /) -> Target | None:
        """The same for the bundles with rows of people, which only named readers may read."""
