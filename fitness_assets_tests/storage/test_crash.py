import os
import time
from functools import partial
from pathlib import Path
from typing import get_args

import pytest

from fitness_assets.storage.lake import Lake, TableInfo
from fitness_assets.storage.publication import CrashPoint
from fitness_assets_tests.support import crash, polling
from fitness_assets_tests.support.crash import exit_status, start
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.platform import wait_for
from fitness_assets_tests.support.polling import MONTH, contents

SIGKILLED = -9
#: Kills of a process that publishes a month again and again; FITNESS_TEST_KILLS sets more.
KILLS = int(os.environ.get("FITNESS_TEST_KILLS", "20"))


#: A reader that sees a publication of any length: it reads often, and at least eleven times.
polled = partial(polling.polled, pause=0.005, least=11)


def changed(lake: Lake[TableInfo], before: set[int]) -> bool:
    """Whether another content than `before` is published."""
    return contents(lake) != before


def at_rest(lake: Lake[TableInfo]) -> set[str]:
    return {path.name for path in local(lake.folder(MONTH)).iterdir() if path.name != "_lock"}


@pytest.mark.parametrize("point", get_args(CrashPoint))
def test_readers_never_see_a_killed_writer_and_the_next_writer_repairs(
    tmp_path: Path, point: CrashPoint
) -> None:
    lake = Lake(tmp_path, TableInfo)
    crash.publish(lake, MONTH, 1)
    with polled(lake) as seen:
        assert exit_status(start(lake, MONTH, [2], point)) == SIGKILLED
        crashed = contents(lake)
        time.sleep(0.1)
        assert exit_status(start(lake, MONTH, [2])) == 0
        time.sleep(0.1)
    replaced = point in {"manifest replaced", "old file deleted"}
    assert crashed == ({2} if replaced else {1})
    assert {frozenset(each) for each in seen} == {frozenset({1}), frozenset({2})}
    assert seen[-1] == {2}
    manifest = lake.published(MONTH)
    assert at_rest(lake) == {"_manifest.json", *(file.path for file in manifest.files)}


def test_two_concurrent_writers_publish_one_complete_month(tmp_path: Path) -> None:
    lake = Lake(tmp_path, TableInfo)
    crash.publish(lake, MONTH, 1)
    with polled(lake) as seen:
        writers = [start(lake, MONTH, [number]) for number in (2, 3)]
        assert [exit_status(writer) for writer in writers] == [0, 0]
    assert {frozenset(each) for each in seen} <= {frozenset({n}) for n in (1, 2, 3)}
    assert len(contents(lake)) == 1
    assert contents(lake) <= {2, 3}
    manifest = lake.published(MONTH)
    assert at_rest(lake) == {"_manifest.json", *(file.path for file in manifest.files)}


def test_a_month_whose_content_changes_survives_kills_at_any_time(tmp_path: Path) -> None:
    lake, undisturbed = Lake(tmp_path / "a", TableInfo), Lake(tmp_path / "b", TableInfo)
    crash.publish(lake, MONTH, 0)
    with polled(lake) as seen:
        for number in range(KILLS):
            before = contents(lake)
            first = 1_000 * (number + 1)
            writer = start(lake, MONTH, list(range(first, first + 1_000)))
            wait_for("a publication", partial(changed, lake, before), pause=0.005)
            time.sleep(0.03 * number / KILLS)
            writer.kill()
            assert exit_status(writer) == SIGKILLED
            (found,) = contents(lake)
            assert first <= found < first + 1_000
    assert all(len(each) == 1 for each in seen)
    last = 1_000 * (KILLS + 1)
    assert exit_status(start(lake, MONTH, [last])) == 0
    crash.publish(undisturbed, MONTH, last)
    assert lake.published(MONTH) == undisturbed.published(MONTH)
    assert at_rest(lake) == at_rest(undisturbed)
