"""Which assets and months a change of records affects, by the partition mappings of the graph."""

from collections.abc import Collection

import dagster as dg


def affected_assets(defs: dg.Definitions, changed: Collection[str]) -> dict[dg.AssetKey, set[str]]:
    """Months of each asset to rematerialize after the records of some months changed.

    Assets without inputs are affected in the months `changed`. Any other asset is affected in each
    month for which the partition mapping of an input names an affected month of that input.

    Parameters
    ----------
    defs : Definitions
        Each of its assets is partitioned by month.
    changed : collection of str
        Months whose records changed; those outside the partitions are ignored.

    Returns
    -------
    dict
        Months by asset, upstream assets first.
    """
    graph = defs.resolve_asset_graph()
    affected: dict[dg.AssetKey, set[str]] = {}
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        partitions = node.partitions_def
        if partitions is None:
            raise dg.DagsterInvalidDefinitionError(f"{key.to_user_string()} has no partitions")
        months = set()
        if not node.parent_keys:
            months = set(changed).intersection(partitions.get_partition_keys())
        for parent in node.parent_keys:
            upstream = graph.get(parent).partitions_def
            if upstream is None or not affected[parent]:
                continue
            subset = upstream.subset_with_partition_keys(affected[parent])
            mapping = graph.get_partition_mapping(key, parent)
            mapped = mapping.get_downstream_partitions_for_partitions(subset, upstream, partitions)
            months.update(mapped.get_partition_keys())
        affected[key] = months
    return affected
