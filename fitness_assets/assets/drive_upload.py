"""Stage 5: publish the month's release where the dashboard's host can reach it."""

import dagster as dg

from fitness_assets.assets.presentation import ONE_RUN_A_MONTH, OWNERS, result
from fitness_assets.workspace import Workspace


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The `drive_upload` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        deps=["dashboard_release"],
        backfill_policy=ONE_RUN_A_MONTH,
        group_name="release",
        kinds={"python", "file"},
        owners=OWNERS,
    )
    def drive_upload(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """The month's release, published to the configured target and verified there.

        The target is a local folder. Files that are there already are not sent again.
        """
        month = context.partition_key
        received = workspace.uploads.receive(workspace.releases.open(month), context.log.info)
        manifest, link = received.manifest, received.link
        context.log.info(f"sent {received.sent:,} of {manifest.bytes:,} bytes; see {link}")
        is_url = link.startswith("https://")
        return result(
            manifest,
            bytes_sent=received.sent,
            link=dg.MetadataValue.url(link) if is_url else dg.MetadataValue.path(link),
        )

    return drive_upload
