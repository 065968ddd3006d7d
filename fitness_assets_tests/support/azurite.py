"""Azurite, the emulator of Azure Blob Storage (`npm install --global azurite`)."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from itertools import count
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from fitness_assets_tests.support.platform import free_port, running_server

# The account of every Azurite, from its documentation.
_ACCOUNT = "devstoreaccount1"
_KEY = (  # pragma: allowlist nextline secret
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
_containers = count()


@dataclass
class Azurite:
    """An Azurite that answers at `endpoint`."""

    endpoint: str

    def use(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """Make a container, set the variables, and return the URL of a prefix in it."""
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", _ACCOUNT)
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", _KEY)
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"{self.endpoint}/{_ACCOUNT}")
        container = f"container-{next(_containers)}"
        self._make_container(container)
        return f"az://{container}/some/prefix"

    def _make_container(self, name: str) -> None:
        # Signed as https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key.
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
        resource = f"/{_ACCOUNT}/{_ACCOUNT}/{name}\nrestype:container"
        lines = ["PUT", *[""] * 11, *(f"{key}:{value}" for key, value in headers.items()), resource]
        signed = hmac.new(base64.b64decode(_KEY), "\n".join(lines).encode(), hashlib.sha256)
        signature = base64.b64encode(signed.digest()).decode()
        headers |= {"Authorization": f"SharedKey {_ACCOUNT}:{signature}", "Content-Length": "0"}
        url = f"{self.endpoint}/{_ACCOUNT}/{name}?restype=container"
        with urlopen(Request(url, method="PUT", headers=headers)) as answer:
            assert answer.status == 201


@contextmanager
def running_azurite(program: str, folder: Path) -> Iterator[Azurite]:
    """Start `program`, whose name is ``azurite-blob``, with its data in `folder`."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    options = ["--location", str(folder), "--blobPort", str(port), "--silent"]
    with running_server([program, *options, "--disableTelemetry"], folder, endpoint):
        yield Azurite(endpoint)
