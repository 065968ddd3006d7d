"""Stage 5: upload the month's release to where the dashboard's host can read it."""

import dagster as dg

from fitness_assets.assets.presentation import OWNERS, result
from fitness_assets.formatting import number
from fitness_assets.orchestration.partitions import dependencies
from fitness_assets.orchestration.state import input_versions
from fitness_assets.release.registry import is_link
from fitness_assets.workspace import Workspace


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The `drive_upload` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        deps=dependencies("drive_upload"),
        group_name="release",
        kinds={"python", "file"},
        owners=OWNERS,
    )
    def drive_upload(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """The month's release, uploaded to the configured target and verified there.

        The target is Google Drive if the settings configure it, else a local folder. Files that the
        target already has are not sent again. Private tables with rows of people are a bundle of
        their own, which only named readers get.
        """
        month = context.partition_key
        inputs = input_versions(workspace, "drive_upload", month)
        release = workspace.releases.open(month)
        workspace.privacy.check_upload(month, has_people=release.has_people)
        uploaded = workspace.uploads.upload(release, context.log.info)
        private = workspace.privacy.people == "private"
        if private and workspace.people.manifest(month) is not None:
            people = workspace.people_uploads.upload(workspace.people.open(month), context.log.info)
            context.log.info(f"sent {number(people.sent)} bytes of rows of people to {people.link}")
        else:
            workspace.people_uploads.remove(month)
        workspace.receipts.save(month, uploaded, inputs)
        manifest, link = uploaded.manifest, uploaded.link
        context.log.info(
            f"sent {number(uploaded.sent)} of {number(manifest.bytes)} bytes to {link}"
        )
        return result(
            manifest,
            bytes_sent=uploaded.sent,
            link=dg.MetadataValue.url(link) if is_link(link) else dg.MetadataValue.path(str(link)),
        )

    return drive_upload
