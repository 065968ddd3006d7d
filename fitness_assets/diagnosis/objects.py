"""Check of a home in an object store: whether it can be read, and what is published is whole."""

from collections.abc import Iterator

from fitness_assets.diagnosis.finding import Finding, fault, ok
from fitness_assets.errors import StorageError, UnavailableError
from fitness_assets.formatting import plural
from fitness_assets.release.bundle import MANIFESTS
from fitness_assets.settings import Settings
from fitness_assets.storage.locations import ObjectPath
from fitness_assets.storage.object_inventory import Inventory

#: Lines about damage.
_MAX_LINES = 5


def check_object_store(settings: Settings) -> Iterator[Finding]:
    """Whether a home in an object store can be read, with all files of its manifests."""
    root = settings.storage
    if not isinstance(root, ObjectPath):
        return
    try:
        inventory = Inventory.of(root, MANIFESTS)
        damaged = list(_damaged(inventory))
    except UnavailableError as error:
        yield fault(str(error), "check the network, the credentials and FITNESS_HOME")
        return
    for reason in damaged[:_MAX_LINES]:
        yield fault(reason, "run `fitness backfill` with the month")
    if len(damaged) > _MAX_LINES:
        more = plural(len(damaged) - _MAX_LINES, "more object")
        yield fault(f"{more} missing or damaged", "repair those above, and look again")
    if not damaged:
        yield ok(
            f"{root} can be read; {plural(len(inventory.manifests), 'publication')} with all files"
        )


def _damaged(inventory: Inventory) -> Iterator[str]:
    for path in inventory.manifests:
        try:
            manifest = inventory.manifest(path)
        except UnavailableError:
            raise
        except StorageError as error:
            yield str(error)
            continue
        for file in manifest.files if manifest else ():
            published = path.parent / file.path
            found = inventory.sizes.get(published)
            if found is None:
                yield f"{published} is missing"
            elif found != file.bytes:
                yield f"{published} has another size than was published"
