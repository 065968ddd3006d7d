"""Objects on an S3 server and in a folder, and what is said where they cannot be reached."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fitness_assets.errors import ObjectChangedError, SettingsError, StorageError
from fitness_assets.storage import object_store as module
from fitness_assets.storage.object_store import ObjectStore, is_object_url
from fitness_assets_tests.support.object_store import SECRET, S3Server
from fitness_assets_tests.support.platform import free_port

#: Fixtures of servers, by the scheme of their URLs.
SERVERS = {"s3": "object_store", "gs": "google_storage", "az": "azurite"}


def store_of(
    scheme: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> ObjectStore:
    url = request.getfixturevalue(SERVERS[scheme]).use(monkeypatch)
    assert url.startswith(f"{scheme}://")
    return ObjectStore(url)


@pytest.mark.parametrize("scheme", [*SERVERS, "file"])
def test_objects_are_written_listed_read_and_deleted(
    scheme: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if scheme == "file":
        store = ObjectStore(f"file://{tmp_path}/objects")
    else:
        store = store_of(scheme, request, monkeypatch)
    assert list(store.list()) == []
    assert store.read("months/a") is None
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 50_000)
    store.write("months/a", b"one")
    store.write("months/a", b"two")
    store.write("monthsless", b"")
    store.write("months/large", large)
    found = store.read("months/a", max_bytes=3)
    assert found is not None
    assert found.content == b"two"
    chunks = list(store.chunks("months/large"))
    assert len(chunks) > 1
    assert b"".join(chunks) == large.read_bytes()
    listed = {each.name: each.bytes for each in store.list("months")}
    assert listed == {"months/a": 3, "months/large": large.stat().st_size}
    assert {each.name for each in store.list()} == {*listed, "monthsless"}
    store.delete(["months/a", "never"])
    assert store.read("months/a") is None
    with pytest.raises(StorageError, match="months/a is missing"):
        list(store.chunks("months/a"))
    with pytest.raises(StorageError, match="has 12,800,000 bytes, more than 5"):
        store.read("months/large", max_bytes=5)


@pytest.mark.parametrize("scheme", SERVERS)
def test_a_writer_learns_that_another_one_was_faster(
    scheme: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(scheme, request, monkeypatch)
    first = store.create("pointer", b"one")
    with pytest.raises(ObjectChangedError, match="pointer was written by another process"):
        store.create("pointer", b"two")
    second = store.replace("pointer", b"two", first)
    with pytest.raises(ObjectChangedError, match="was written by another process"):
        store.replace("pointer", b"three", first)
    found = store.read("pointer")
    assert found is not None
    assert (found.content, found.version) == (b"two", second)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://bucket/prefix", "is not the URL of an object store"),
        ("s3://", "is not the URL of an object store"),
        ("file://", "is not the URL of an object store"),
        ("s3://name:password@bucket", "credentials are AWS_ACCESS_KEY_ID"),
        ("s3://bucket?token=password", "credentials are AWS_ACCESS_KEY_ID"),
    ],
)
def test_other_urls_are_refused(url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        ObjectStore(url)
    assert "password" not in str(raised.value)


def test_urls_and_paths_are_distinguished() -> None:
    assert all(is_object_url(f"{scheme}://bucket") for scheme in ("s3", "gs", "az", "file"))
    assert not any(is_object_url(path) for path in ("/backup", "s3", "s3:/x", "C://backup"))


def test_the_extra_is_named_if_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(SettingsError, match=r"pip install fitness_assets\[object-store\]"):
        ObjectStore("s3://bucket")


@contextmanager
def refusing(status: int, body: str = "") -> Iterator[tuple[str, list[str]]]:
    """A server that refuses every request: its URL, and the signatures that it gets."""
    signatures = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            signatures.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", signatures
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "<Error><Code>SignatureDoesNotMatch</Code></Error>"),
        (403, "<Error><Code>AccessDenied</Code></Error>"),
        (401, ""),
    ],
)
def test_wrong_credentials_are_named_by_variable(
    status: int, body: str, object_store: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    object_store.use(monkeypatch)
    with refusing(status, body) as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        store = ObjectStore("s3://bucket/prefix")
        for act in (lambda: store.read("name"), lambda: list(store.list())):
            with pytest.raises(StorageError, match="check AWS_ACCESS_KEY_ID and AWS_SECRET"):
                act()


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of AWS's tools with two profiles, and no variables with keys."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    credentials, config = tmp_path / "credentials", tmp_path / "config"
    credentials.write_text(
        f"[default]\naws_access_key_id = ours\naws_secret_access_key = {SECRET}\n"
        f"[lake]\naws_access_key_id = of-the-lake\naws_secret_access_key = {SECRET}\n"
    )
    config.write_text("[default]\nregion = eu-central-1\n[profile empty]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("variables", "signed"),
    [
        ({}, "Credential=ours/"),
        ({"AWS_PROFILE": "lake"}, "Credential=of-the-lake/"),
        ({"AWS_ACCESS_KEY_ID": "first", "AWS_SECRET_ACCESS_KEY": SECRET}, "Credential=first/"),
    ],
)
def test_profiles_of_aws_are_read(
    variables: dict[str, str], signed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with refusing(403) as (url, signatures):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(StorageError, match="or AWS_PROFILE") as raised:
            ObjectStore("s3://bucket/prefix").read("name")
    assert SECRET not in str(raised.value)
    assert any(signed in each for each in signatures)


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("profile", "message"),
    [("never", r"AWS_PROFILE: .*\(never\)"), ("empty", "the profile empty has no credentials")],
)
def test_a_wrong_profile_of_aws_is_named(
    profile: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", profile)
    with pytest.raises(SettingsError, match=message):
        ObjectStore("s3://bucket/prefix")


def test_errors_of_a_service_are_one_line_that_says_what_to_do(
    object_store: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    object_store.use(monkeypatch)
    messages = {}

    def fail(case: str, url: str, act: Callable[[ObjectStore], object]) -> None:
        with pytest.raises(StorageError) as raised:
            act(ObjectStore(url))
        messages[case] = str(raised.value)

    def read(store: ObjectStore) -> object:
        return store.read("name")

    fail("bucket", "s3://never-made/prefix", read)
    fail("bucket of list", "s3://never-made/prefix", lambda store: list(store.list()))
    monkeypatch.setitem(module._RETRY, "max_retries", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    fail("server", "s3://bucket/prefix", read)
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    fail("account", "az://container/prefix", read)
    create = "NoSuchBucket; create it, or correct the URL"
    assert messages["bucket"] == f"s3://never-made/prefix/name: {create}"
    assert messages["bucket of list"] == f"s3://never-made/prefix: {create}"
    assert "s3://bucket/prefix/name: the server cannot be reached" in messages["server"]
    assert messages["account"].startswith("az://container/prefix: Account must be specified")
    assert all("\n" not in text and SECRET not in text for text in messages.values())
