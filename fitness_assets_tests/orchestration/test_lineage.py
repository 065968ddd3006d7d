"""The declared windows are what Dagster's partition mappings say."""

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fitness_assets.definitions import build_defs
from fitness_assets.months import between
from fitness_assets.orchestration.lineage import INPUTS, ON_DEMAND, SOURCES
from fitness_assets.orchestration.staleness import Partition, inputs_of
from fitness_assets_tests.support.platform import MakeSettings

MONTHS = between("2023-04", "2024-06")


@pytest.fixture(scope="module")
def defs(make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    home = tmp_path_factory.mktemp("lineage")
    return build_defs(make_settings(home, FITNESS_LAST_MONTH=MONTHS[-1]))


def test_every_asset_has_its_declared_inputs(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    found = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    hidden = {*SOURCES, *ON_DEMAND}
    assert found == {asset: set(inputs) - hidden for asset, inputs in INPUTS.items()}


def test_inputs_come_before_the_assets_that_read_them() -> None:
    seen = {*SOURCES}
    for asset, inputs in INPUTS.items():
        assert seen.issuperset(inputs), asset
        seen.add(asset)


@hypothesis_settings(max_examples=60, deadline=None)
@given(asset=st.sampled_from(sorted(INPUTS)), month=st.sampled_from(MONTHS))
def test_the_windows_are_the_partition_mappings(
    defs: dg.Definitions, asset: str, month: str
) -> None:
    graph = defs.resolve_asset_graph()
    key = dg.AssetKey(asset)
    partitions = graph.get(key).partitions_def
    assert partitions is not None
    subset = partitions.subset_with_partition_keys([month])
    expected: set[Partition] = set()
    for parent in graph.get(key).parent_keys:
        upstream = graph.get(parent).partitions_def
        assert upstream is not None
        mapping = graph.get_partition_mapping(key, parent)
        mapped = mapping.get_upstream_mapped_partitions_result_for_partitions(
            subset, partitions, upstream
        )
        names = mapped.partitions_subset.get_partition_keys()
        expected.update(Partition(parent.to_user_string(), name) for name in names)
    # Dagster has no partition before the first month of the range.
    declared = {each for each in inputs_of(Partition(asset, month)) if each.month in MONTHS}
    hidden = {*SOURCES, *ON_DEMAND}
    assert {each for each in declared if each.asset not in hidden} == expected
