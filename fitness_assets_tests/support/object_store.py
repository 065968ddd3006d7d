"""An S3 server in this process, with a bucket for each test."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Protocol
from urllib.request import Request, urlopen

import pytest

SECRET = "secret-of-the-object-store"  # noqa: S105 # pragma: allowlist secret

#: Stores are opened once for each bucket, so no two servers have buckets of one name.
_buckets = count()


class Server(Protocol):
    """A server of any kind of object store."""

    def use(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """Set the variables, and return the URL of an empty prefix."""


@dataclass
class S3Server:
    """A server that answers at `endpoint`.

    `use` is what most tests need; others set `environ` themselves.
    """

    endpoint: str

    @property
    def environ(self) -> dict[str, str]:
        """The variables by which clients find the server."""
        return {
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def use(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """Make a bucket, set the variables, and return the URL of a prefix in the bucket."""
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)
        bucket = f"bucket-{next(_buckets)}"
        self.make_bucket(bucket)
        return f"s3://{bucket}/some/prefix"

    def make_bucket(self, name: str) -> None:
        """Make the bucket called `name`."""
        with urlopen(Request(f"{self.endpoint}/{name}", method="PUT")) as answer:
            assert answer.status == 200


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Start a server on a free port."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication
    from moto.server import ThreadedMotoServer

    # Each request would list the folders of all services of AWS.
    cached = cache(DomainDispatcherApplication.get_backend_for_host)
    DomainDispatcherApplication.get_backend_for_host = cached  # type: ignore[method-assign]
    # One line for each request otherwise.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()
