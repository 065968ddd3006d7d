"""Objects in Amazon S3, Google Cloud Storage or Azure Blob Storage, or in a local folder.

Credentials and endpoints come from the variables and files that the services' own tools read, such
as AWS_ACCESS_KEY_ID, AWS_PROFILE and AWS_ENDPOINT_URL, or from the role of the machine. They are in
no message.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from fitness_assets.errors import (
    ObjectChangedError,
    SettingsError,
    StorageError,
    UnavailableError,
)

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutResult, UpdateVersion
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import ClientConfig, RetryConfig

T = TypeVar("T")

#: Schemes of the URLs, with the variables of the credentials.
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_SERVICE_ACCOUNT",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "file": "no credentials",
}
#: A request is repeated after a lost connection, a timeout or an error of the server.
_RETRY: "RetryConfig" = {"max_retries": 5, "retry_timeout": timedelta(seconds=60)}
_CLIENT: "ClientConfig" = {
    # Only an endpoint that is set to a URL with http:// is addressed without TLS.
    "allow_http": True,
    "connect_timeout": timedelta(seconds=5),
    # Without a byte; the whole of a large object takes longer.
    "read_timeout": timedelta(seconds=30),
    "timeout": timedelta(minutes=10),
}
_CHUNK = 1 << 20
# The machine's role is asked for at this address, where other credentials are missing.
_ROLE_ADDRESSES = ("169.254.169.254", "metadata.google.internal")
#: Codes of the services for credentials that are wrong, and for a bucket that does not exist.
_DENIED = {
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "AuthenticationFailed",
    "401 Unauthorized",
    "403 Forbidden",
}
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound"}
_CODE = re.compile(r"<Code>(\w{1,80})</Code>")
_STATUS = re.compile(r"status code: (\d{3}[ A-Za-z]*)")


@dataclass(frozen=True)
class ObjectInfo:
    """An object that is listed.

    Attributes
    ----------
    name : str
        Relative to the URL of the store.
    bytes : int
    tag : str or None
        Its e-tag, which changes with the content.
    modified : datetime
        When it was written, by the clock of the server.
    """

    name: str
    bytes: int
    tag: str | None
    modified: datetime


@dataclass(frozen=True)
class Version:
    """Which of the contents that an object had over time this is.

    Attributes
    ----------
    tag : str or None
        The e-tag. S3 and Azure replace an object on the condition of it.
    generation : str or None
        The generation of Google Cloud Storage, which it compares instead.
    """

    tag: str | None
    generation: str | None


@dataclass(frozen=True)
class StoredObject:
    """An object that is read.

    Attributes
    ----------
    content : bytes
    version : Version
    modified : datetime
        When it was written, by the clock of the server.
    """

    content: bytes
    version: Version
    modified: datetime


def is_object_url(text: str) -> bool:
    """Whether `text` is a URL of an object store, and not the path of a folder."""
    return text.partition("://")[0] in _CREDENTIALS and "://" in text


class ObjectStore:
    """The objects below a URL.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix`` or
        ``file:///folder``. An S3 server other than Amazon's is named by AWS_ENDPOINT_URL.

    Raises
    ------
    SettingsError
        If the URL is of another kind, holds credentials, or the library for object stores is not
        installed.
    StorageError
        If a setting of the service is missing.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        place = parts.netloc if parts.scheme != "file" else parts.path
        if parts.scheme not in _CREDENTIALS or not place:
            raise SettingsError(
                f"{url} is not the URL of an object store, such as s3://bucket/prefix, "
                "gs://bucket/prefix or az://container/prefix"
            )
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise SettingsError(
                f"a URL {parts.scheme}:// of an object store names a bucket and a prefix; "
                f"credentials are {_CREDENTIALS[parts.scheme]}, in the environment"
            )
        try:
            from obstore.store import from_url
        except ImportError as error:
            raise SettingsError(
                f"{url} needs an extra: pip install fitness_assets[object-store]"
            ) from error
        self.url = url.rstrip("/")
        self._scheme = parts.scheme
        with self._explaining():
            if parts.scheme == "file":
                self._store = from_url(self.url, mkdir=True)
            elif parts.scheme == "s3" and (provider := _aws_provider()) is not None:
                self._store = from_url(
                    self.url,
                    client_options=_CLIENT,
                    retry_config=_RETRY,
                    credential_provider=provider,
                )
            else:
                self._store = from_url(self.url, client_options=_CLIENT, retry_config=_RETRY)

    def read(self, name: str, max_bytes: int | None = None) -> StoredObject | None:
        """The object called `name`, or None if there is none.

        Raises
        ------
        StorageError
            If it has more than `max_bytes` bytes, or the store cannot be read.
        """
        with self._explaining(name):
            found = self._if_found(lambda: self._store.get(name))
            if found is None:
                return None
            size = found.meta["size"]
            if max_bytes is not None and size > max_bytes:
                raise StorageError(f"{self.url}/{name} has {size:,} bytes, more than {max_bytes:,}")
            meta = found.meta
            return StoredObject(bytes(found.bytes()), _version(meta), meta["last_modified"])

    def size(self, name: str) -> int | None:
        """The size of an object in bytes, or None if there is none.

        Raises
        ------
        StorageError
            If the store cannot be read.
        """
        with self._explaining(name):
            return self._if_found(lambda: self._store.head(name)["size"])

    def read_range(self, name: str, start: int, length: int) -> bytes | None:
        """`length` bytes of an object from `start`, or None if there is no such object.

        Raises
        ------
        StorageError
            If the store cannot be read.
        """
        with self._explaining(name):
            return self._if_found(
                lambda: bytes(self._store.get_range(name, start=start, length=length))
            )

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of an object in pieces, so that large ones are never whole in memory.

        Raises
        ------
        StorageError
            If there is no such object, or the store cannot be read.
        """
        with self._explaining(name):
            found = self._if_found(lambda: self._store.get(name))
            if found is None:
                raise StorageError(f"{self.url}/{name} is missing")
            for chunk in found.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)

    def write(self, name: str, content: bytes | Path) -> None:
        """Write an object, whatever it held; `content` may be the path of a file.

        Raises
        ------
        StorageError
            If it cannot be written. Readers then find the old content or the new.
        """
        with self._explaining(name):
            self._store.put(name, content)

    def create(self, name: str, content: bytes) -> Version:
        """Write an object that does not exist yet.

        Raises
        ------
        ObjectChangedError
            If it exists. It may be what this call wrote, if an answer was lost: read it again.
        StorageError
            If it cannot be written.
        """
        with self._explaining(name):
            return _version(self._store.put(name, content, mode="create"))

    def replace(self, name: str, content: bytes, version: Version) -> Version:
        """Write an object if its version is still `version`, and return the new one.

        Raises
        ------
        ObjectChangedError
            As `create`, if it has another version.
        StorageError
            If it cannot be written, or the store is of a kind without versions (``file://``).
        """
        condition: UpdateVersion = {}
        if version.tag is not None:
            condition["e_tag"] = version.tag
        if version.generation is not None:
            condition["version"] = version.generation
        with self._explaining(name):
            return _version(self._store.put(name, content, mode=condition))

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects. Those that do not exist are no error."""
        for name in names:
            with self._explaining(name):
                self._if_found(partial(self._store.delete, name))

    def list(self, folder: str = "") -> Iterator[ObjectInfo]:
        """The objects whose names begin with ``folder/``; all without `folder`."""
        with self._explaining():
            for page in self._store.list(folder or None):
                for each in page:
                    yield _info(each)

    def children(self, folder: str) -> tuple[Sequence[ObjectInfo], Sequence[str]]:
        """The objects in `folder` itself, and the names of the folders in it.

        Raises
        ------
        StorageError
            If the store cannot be read.
        """
        with self._explaining(folder):
            found = self._if_found(lambda: self._store.list_with_delimiter(folder or None))
            if found is None:
                return [], []
        folders = [each.rstrip("/").rpartition("/")[2] for each in found["common_prefixes"]]
        return [_info(each) for each in found["objects"]], folders

    @staticmethod
    def _if_found(request: Callable[[], T]) -> T | None:
        """The answer to `request`, or None if there is no such object.

        That all of the store is missing is an error.
        """
        try:
            return request()
        except FileNotFoundError as error:
            code = _CODE.search(str(error))
            if code and code[1] in _NO_BUCKET:
                raise
            return None

    @contextmanager
    def _explaining(self, name: str = "") -> Iterator[None]:
        """Raise the errors of the library as one line, without what only a programmer reads."""
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        where = f"{self.url}/{name}" if name else self.url
        try:
            yield
        except (AlreadyExistsError, PreconditionError):
            raise ObjectChangedError(f"{where} was written by another process") from None
        except (BaseError, FileNotFoundError, PermissionError, ValueError) as error:
            cause, advice = _cause(error), ""
            if any(address in str(error) for address in _ROLE_ADDRESSES):
                cause, advice = "there are no credentials", f"; set {_CREDENTIALS[self._scheme]}"
            elif cause in _DENIED:
                advice = f"; check {_CREDENTIALS[self._scheme]}"
            elif cause in _NO_BUCKET:
                advice = "; create it, or correct the URL"
            raise UnavailableError(f"{where}: {cause}{advice}") from None


def _aws_provider() -> "Boto3CredentialProvider | None":
    """Credentials of a profile in the files of AWS's tools; None if there are only others.

    The library of object stores itself finds variables and roles, but no profiles.

    Raises
    ------
    SettingsError
        If there is no such profile, or it has no credentials.
    """
    import boto3
    import botocore.session
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = botocore.session.Session()
    profile = session.get_config_variable("profile")
    if profile is None and not session.available_profiles:
        return None
    try:
        if session.get_credentials() is None:
            if profile is not None:
                raise SettingsError(f"AWS_PROFILE: the profile {profile} has no credentials")
            return None  # files that only name a region, for example
        return Boto3CredentialProvider(boto3.Session(botocore_session=session))
    except BotoCoreError as error:
        raise SettingsError(f"AWS_PROFILE: {error}") from None


def _version(found: "ObjectMeta | PutResult") -> Version:
    return Version(found["e_tag"], found["version"])


def _info(found: "ObjectMeta") -> ObjectInfo:
    return ObjectInfo(found["path"], found["size"], found["e_tag"], found["last_modified"])


def _cause(error: Exception) -> str:
    """What the service or the connection reports, without URLs, which may be signed."""
    text = str(error)
    if code := _CODE.search(text):
        return code[1]
    if status := _STATUS.search(text):
        return status[1].strip()
    line = text.partition("\n")[0]
    if "HTTP error" in line or "error sending request" in line:
        return f"the server cannot be reached ({line.rpartition(': ')[2]})"
    return line.rpartition("error: ")[2]
