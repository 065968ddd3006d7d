"""Random changes of a whole release; `make bench PART=hostile` tries 2,000 of them."""

from pathlib import Path

from fitness_assets.release.store import ReleaseStore
from fitness_assets.settings import Settings
from fitness_assets.storage.publication import read_bytes
from fitness_assets_tests.support.platform import MONTHS
from fitness_assets_tests.support.serving import tries

_TRIES = 40


def test_the_old_release_or_a_complete_new_one_is_served(
    released: Settings, tmp_path: Path
) -> None:
    release = ReleaseStore(released.home / "releases").open(MONTHS[-1])
    files = {file.name: read_bytes(release.folder, file) for file in release.manifest.files}
    found = list(tries(files, release.info, tmp_path, range(_TRIES)))
    assert {each.accepted for each in found} == {False, True}
    assert [each for each in found if each.seconds > 2 or each.megabytes > 100] == []
