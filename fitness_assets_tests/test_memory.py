"""What the garbage collector looks at."""

import gc
from collections.abc import Iterator

import pytest

from fitness_assets import memory
from fitness_assets.memory import without_old_garbage


@pytest.fixture(autouse=True)
def nothing_is_skipped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # A test process skips its modules.
    monkeypatch.setattr(memory, "_blocks", [])
    gc.unfreeze()
    yield
    gc.freeze()


def test_the_garbage_collector_skips_old_objects_until_the_outer_block_ends() -> None:
    with without_old_garbage():
        assert gc.get_freeze_count() > 0
        with without_old_garbage():
            pass
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
