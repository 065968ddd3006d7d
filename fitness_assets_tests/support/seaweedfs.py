"""SeaweedFS, an S3 server that is a program of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fitness_assets.errors import StorageError
from fitness_assets.storage.object_store import ObjectStore
from fitness_assets_tests.support.object_store import SECRET, S3Server
from fitness_assets_tests.support.platform import free_port, running_server, wait_for

_IDENTITY = {
    "identities": [
        {
            "name": "tests",
            "credentials": [{"accessKey": "tests", "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
    ]
}


@dataclass
class SeaweedFS(S3Server):
    """A SeaweedFS, which makes a bucket when an object is written to it."""

    def make_bucket(self, name: str) -> None:
        """Write an object to the bucket called `name`, once there is a volume for it."""
        store = ObjectStore(f"s3://{name}")

        def is_written() -> bool:
            try:
                store.write("made", b"")
            except StorageError:
                return False
            return True

        wait_for("a volume", is_written, seconds=120, pause=0.2)


@contextmanager
def running_seaweedfs(program: str, folder: Path) -> Iterator[SeaweedFS]:
    """Start `program`, whose name is ``weed``, with its data in `folder`, on free ports."""
    config = folder / "s3.json"
    config.write_text(json.dumps(_IDENTITY))
    ports = {
        f"-{part}.port{kind}": str(free_port())
        for part in ("master", "volume", "filer", "s3")
        for kind in ("", ".grpc")
    }
    command = [program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-s3", f"-s3.config={config}"]
    command += [f"{name}={port}" for name, port in ports.items()]
    # Servers of other protocols, whose ports are not free on every machine.
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    # The first volumes would each take 30 GB of the limit that is declared for the disk.
    command += ["-volume.max=0", "-master.volumeSizeLimitMB=64", "-master.telemetry=false"]
    endpoint = f"http://127.0.0.1:{ports['-s3.port']}"
    with running_server(command, folder, endpoint):
        yield SeaweedFS(endpoint)
