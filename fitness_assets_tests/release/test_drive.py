import hashlib
import math
import os
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import certifi
import gdown
import pytest
import requests

from fitness_assets.errors import DriveError, ReleaseError, StorageError
from fitness_assets.release.bundle import MANIFEST, Release
from fitness_assets.release.google_drive.client import DriveClient
from fitness_assets.release.google_drive.retry import RetryPolicy
from fitness_assets.release.pointer import LATEST, Pointer
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.target import UploadResult
from fitness_assets.release.targets.drive import DriveTarget
from fitness_assets_tests.support.drive_emulator import DriveEmulator
from fitness_assets_tests.support.drive_protocol import Fault
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.releases import release_info

#: Three chunks, all parts of which differ.
DAYS = b"".join(number.to_bytes(4) for number in range(650_000))


@dataclass
class Platform:
    """Releases in a folder, and the target that they are uploaded to."""

    drive: DriveEmulator
    home: Path
    timeout: float = 10.0
    pauses: list[float] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @property
    def policy(self) -> RetryPolicy:
        return RetryPolicy(attempts=4, timeout=self.timeout, sleep=self.pauses.append)

    @property
    def target(self) -> DriveTarget:
        credentials = self.drive.credentials(self.home, "authorized_user")
        return DriveTarget(self.drive.folder, credentials, self.home / "state", self.policy)

    def release(self, month: str = "2023-04", days: bytes = DAYS) -> Release:
        files = {"metrics.json": b"{}", "days.parquet": days}
        return ReleaseStore(self.home / "releases").publish(files, release_info(month))

    def send(self, release: Release) -> UploadResult:
        return self.target.upload(release, self.messages.append)

    def pointer(self) -> Pointer:
        return Pointer.parse(self.drive.item(LATEST).content, LATEST)

    def holds(self, *releases: Release) -> None:
        """Assert that exactly these are on Drive, public, under the ids in the pointer."""
        pointer = self.pointer()
        for release in releases:
            manifest = (release.folder / MANIFEST).read_bytes()
            assert pointer.releases[release.month] == hashlib.sha256(manifest).hexdigest()
            for name in [MANIFEST, *(file.path for file in release.manifest.files)]:
                item = self.drive.item(f"{release.month}/{name}")
                assert item.content == (release.folder / name).read_bytes()
                assert item.public
                assert pointer.ids[item.path] == item.id
        assert self.drive.item(LATEST).public
        assert self.drive.paths() == sorted([*pointer.ids, LATEST])


@pytest.fixture
def platform(drive: DriveEmulator, tmp_path: Path) -> Platform:
    return Platform(drive, tmp_path)


def test_an_upload_is_complete_before_the_pointer_changes(platform: Platform) -> None:
    release = platform.release()
    uploaded = platform.send(release)
    platform.holds(release)
    drive = platform.drive
    assert uploaded.link == f"https://drive.google.com/uc?id={drive.item(LATEST).id}"
    assert (uploaded.sent, uploaded.manifest) == (len(DAYS) + 2, release.manifest)
    written = [path for kind, path in drive.log if kind in ("session", "share")]
    assert written[-4:] == [f"2023-04/{MANIFEST}"] * 2 + [LATEST] * 2
    days = f"2023-04/{release.manifest.file('days.parquet').path}"
    assert f"sent 1,048,576 of 2,600,000 bytes of {days}" in platform.messages
    assert platform.target.manifest("2023-04") == release.manifest
    assert platform.target.manifest("2023-05") is None


def test_unchanged_files_are_not_sent_again(platform: Platform) -> None:
    release = platform.release()
    platform.send(release)
    before = platform.drive.received
    assert platform.send(release).sent == 0
    assert platform.drive.received == before
    assert platform.drive.count("share") == 4
    assert platform.pointer().serial == 1


def test_new_content_keeps_the_links_and_old_files_are_deleted_last(
    platform: Platform,
) -> None:
    drive = platform.drive
    other = platform.release("2023-05", b"other")
    platform.send(platform.release())
    platform.send(other)
    kept = [drive.item(path).id for path in (LATEST, f"2023-04/{MANIFEST}")]
    drive.log.clear()
    update = platform.release(days=b"new")
    assert platform.send(update).sent == 3
    platform.holds(update, other)
    assert [drive.item(path).id for path in (LATEST, f"2023-04/{MANIFEST}")] == kept
    last = [kind for kind, path in drive.log if kind in ("chunk", "delete")]
    assert last == ["chunk", "chunk", "chunk", "delete"]


def test_an_older_month_can_be_made_current(platform: Platform) -> None:
    with pytest.raises(ReleaseError, match="has no release yet"):
        platform.target.set_current("2023-04")
    releases = [platform.release("2023-04", b"old"), platform.release("2023-05", b"new")]
    for release in releases:
        platform.send(release)
    platform.target.set_current("2023-04")
    platform.holds(*releases)
    assert (platform.pointer().month, platform.pointer().serial) == ("2023-04", 3)


def test_a_damaged_pointer_is_rebuilt_from_the_manifests(platform: Platform) -> None:
    releases = [platform.release("2023-04", b"old"), platform.release("2023-05", b"new")]
    for release in releases:
        platform.send(release)
    platform.drive.item(LATEST).contents.append(b"damaged")
    platform.send(releases[0])
    platform.holds(*releases)
    assert platform.pointer().month == "2023-05"


def test_a_damaged_or_replaced_release_is_not_sent(platform: Platform) -> None:
    release = platform.release()
    platform.release(days=b"new")
    with pytest.raises(StorageError, match="was republished"):
        platform.send(release)
    release = platform.release()
    (local(release.folder) / release.manifest.file("days.parquet").path).write_bytes(DAYS[::-1])
    with pytest.raises(StorageError, match="differs from its manifest"):
        platform.send(release)
    assert LATEST not in platform.drive.paths()


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "308 without range"},
        {"fault": "503 in mid-chunk"},
        # The client itself retries once; our retries come after that.
        {"fault": "lost response", "times": 2},
        {"fault": "lost response", "times": math.inf},
        {"fault": "lost response", "on": "session", "times": 3},
        {"fault": "lost response", "on": "share", "times": 3},
        {"fault": "lost response", "on": "delete", "times": 3},
        {"fault": "lost response", "times": 2, "path": LATEST},
        {"fault": "session gone"},
        {"fault": "stall"},
        {"fault": "stall", "on": "list"},
        {"fault": "rate limit", "on": "permissions"},
        {"fault": "user rate limit", "times": 3},
        {"fault": "unavailable", "on": "list", "times": 3},
        {"fault": "unauthorized", "times": 2},
    ],
    ids=lambda fault: " ".join(map(str, fault.values())),
)
def test_an_upload_survives_transient_faults(platform: Platform, fault: dict[str, Any]) -> None:
    platform.send(platform.release(days=b"old"))
    platform.timeout = 0.5 if fault["fault"] == "stall" else 10
    platform.drive.fail(**fault)
    release = platform.release()
    start = time.monotonic()
    platform.send(release)
    assert time.monotonic() - start < 10
    platform.holds(release)


@pytest.mark.parametrize("update", [False, True])
def test_a_file_is_found_when_the_last_response_and_the_session_are_lost(
    platform: Platform, update: bool
) -> None:
    if update:
        platform.send(platform.release(days=b"old"))
    platform.drive.fail("lost response", times=2, path=f"2023-04/{MANIFEST}")
    platform.drive.fail("not found", on="state")
    release = platform.release(days=b"new")
    before = platform.drive.count("session")
    platform.send(release)
    platform.holds(release)
    assert platform.drive.count("session") - before == (3 if update else 4)


def test_an_interruption_costs_at_most_one_chunk(platform: Platform) -> None:
    platform.drive.fail("503 in mid-chunk")
    platform.drive.fail("lost response", times=2)
    platform.send(platform.release())
    assert platform.drive.received < len(DAYS) + 2 * 1024 * 1024 + 10_000


def test_retries_wait_as_long_as_the_server_asks(platform: Platform) -> None:
    platform.drive.fail("rate limit")
    platform.send(platform.release(days=b"small"))
    assert platform.pauses == [7.0]
    assert "retrying in 7 s" in platform.messages[0]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"fault": "unknown account"}, "rejected the credentials in .*invalid_grant"),
        ({"fault": "unauthorized"}, "answered 401, Invalid Credentials; create .* again"),
        ({"fault": "forbidden", "on": "session"}, "answered 403, .*; let the account manage"),
        ({"fault": "forbidden", "on": "share"}, "cannot be shared: .* answered 403"),
        (
            {"fault": "not found", "on": "session"},
            "answered 404, .* must have access to folder 0AFitnessReleases",
        ),
        ({"fault": "storage quota"}, "answered 403, .* owns no storage .* a shared drive"),
        ({"fault": "rate limit"}, "answered 429, .* gave up after 4 attempts"),
        ({"fault": "user rate limit"}, "answered 403, .* gave up after 4 attempts"),
        ({"fault": "unavailable"}, "answered 503, .* gave up after 4 attempts"),
        ({"fault": "unavailable", "path": LATEST}, "latest.json cannot be .* answered 503"),
        (
            {"fault": "lost response", "on": "list"},
            "cannot be reached: Remote end closed .* gave up after 4 attempts",
        ),
        ({"fault": "stall"}, "cannot be reached: .*timed out; gave up after 4 attempts"),
        (
            {"fault": "308 without range"},
            "stored none of the bytes .*; gave up after 4 attempts",
        ),
        ({"fault": "503 in mid-chunk"}, "answered 503, .* gave up after 4 attempts"),
        ({"fault": "session gone"}, "answered 404, .* gave up after 4 attempts"),
        ({"fault": "corrupt"}, "was corrupted by its upload"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_permanent_fault_raises_one_line_and_publishes_nothing(
    platform: Platform, fault: dict[str, Any], message: str
) -> None:
    old = platform.release(days=b"old")
    platform.send(old)
    drive = platform.drive
    pointer = drive.item(LATEST).content
    files = {path: drive.item(path).content for path in drive.paths()}
    new = platform.release()
    platform.timeout = 0.3 if fault["fault"] == "stall" else 10
    drive.fail(**fault, times=math.inf)
    start = time.monotonic()
    with pytest.raises(DriveError, match=message) as caught:
        platform.send(new)
    assert time.monotonic() - start < 10
    assert "\n" not in str(caught.value)
    assert drive.item(LATEST).content == pointer
    for file in old.manifest.files:
        assert drive.item(f"2023-04/{file.path}").content == files[f"2023-04/{file.path}"]
    drive.clear_faults()
    platform.timeout = 10
    platform.send(new)
    platform.holds(new)


def test_of_two_files_at_a_path_the_older_is_used(
    platform: Platform,
) -> None:
    platform.send(platform.release(days=b"old"))
    first = platform.drive.item(LATEST)
    second = platform.drive.add(LATEST, b"by another writer")
    link = platform.send(platform.release(days=b"new")).link
    assert link.endswith(first.id)
    assert Pointer.parse(first.content, LATEST).serial == 2
    assert f"{LATEST} is on Drive twice; using {first.id}, not {second}" in platform.messages


def test_a_large_folder_is_listed_page_by_page(platform: Platform) -> None:
    release = platform.release(days=b"small")
    platform.send(release)
    platform.drive.page_size = 1
    platform.drive.log.clear()
    assert platform.send(release).sent == 0
    assert platform.drive.count("list") == 8
    platform.holds(release)


@pytest.mark.parametrize("kind", ["service_account", "authorized_user"])
def test_a_service_account_and_a_user_token_are_accepted(
    drive: DriveEmulator, tmp_path: Path, kind: Literal["service_account", "authorized_user"]
) -> None:
    with DriveClient(drive.folder, drive.credentials(tmp_path, kind)) as client:
        file = client.put("2023-04/empty", b"", None)
        assert client.list_files() == {"2023-04/empty": file}


@pytest.mark.parametrize(
    "content",
    ["not json", "[]", "{}", '{"type": "external_account"}', '{"type": "service_account"}'],
)
def test_other_credentials_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    with pytest.raises(DriveError, match=r"other\.json cannot be read: No such file"):
        DriveClient("folder", path)
    path.write_text(content)
    with pytest.raises(
        DriveError, match=r"other\.json is neither the key of a service account nor"
    ):
        DriveClient("folder", path)


@pytest.mark.parametrize(
    "fault", ["unknown account", "unauthorized", "unavailable", "session gone"]
)
def test_no_secret_is_logged(
    platform: Platform, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    caplog.set_level(0)
    platform.drive.fail(fault, times=math.inf, on="chunk" if fault == "unavailable" else None)
    with pytest.raises(DriveError) as caught:
        platform.send(platform.release())
    lines = [*platform.messages, *caplog.messages, *traceback.format_exception(caught.value)]
    for secret in ("session-", "token-", "PRIVATE KEY"):
        assert not [line for line in lines if secret in line]


def test_an_untrusted_certificate_is_refused_without_retries(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("httplib2.CA_CERTS", certifi.where())
    with pytest.raises(DriveError, match="CERTIFICATE_VERIFY_FAILED"):
        platform.send(platform.release())
    assert platform.pauses == []


def test_a_new_process_needs_only_the_environment(drive: DriveEmulator, tmp_path: Path) -> None:
    script = (
        "import gdown, sys\n"
        "from pathlib import Path\n"
        "from fitness_assets.release.google_drive.client import DriveClient\n"
        "with DriveClient(sys.argv[1], Path(sys.argv[2])) as drive:\n"
        "    file = drive.put('2023-04/days', b'content', None)\n"
        "    drive.share(file)\n"
        "gdown.download(id=file.id, output=sys.argv[3], quiet=True, use_cookies=False)\n"
    )
    output = tmp_path / "output"
    subprocess.run(
        [sys.executable, "-c", script, drive.folder, drive.credentials(tmp_path), output],
        check=True,
        env=os.environ | drive.environment,
    )
    assert output.read_bytes() == b"content"


@pytest.mark.usefixtures("drive")
def test_only_drive_can_be_reached() -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="502"):
        requests.get("https://example.com", timeout=10)


def fetched(file_id: str, output: Path, retries: int = 0) -> bytes:
    gdown.download(
        id=file_id,
        output=str(output),
        quiet=True,
        use_cookies=False,
        timeout=0.5,
        retries=retries,
    )
    return output.read_bytes()


@pytest.mark.parametrize("large", [1, len(DAYS) + 1], ids=["confirmed", "at once"])
def test_gdown_downloads_public_files(drive: DriveEmulator, tmp_path: Path, large: int) -> None:
    drive.large = large
    file_id = drive.add("days", DAYS)
    assert fetched(file_id, tmp_path / "days") == DAYS
    assert [kind for kind, _ in drive.log] == ["page", "download"]


def test_gdown_resumes_an_interrupted_download(drive: DriveEmulator, tmp_path: Path) -> None:
    file_id = drive.add("days", DAYS)
    drive.fail("truncate")
    assert fetched(file_id, tmp_path / "days", retries=1) == DAYS
    assert drive.count("download") == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (None, "Cannot retrieve the public link"),
        ("quota page", "Too many users have viewed or downloaded"),
        ("html", "Cannot retrieve the public link"),
        ("truncate", "Download is incomplete: received"),
        ("stall", "Read timed out"),
    ],
)
def test_gdown_raises_when_it_gets_no_file(
    drive: DriveEmulator, tmp_path: Path, fault: Fault | None, message: str
) -> None:
    file_id = drive.add("days", DAYS, public=fault is not None)
    if fault:
        drive.fail(fault)
    errors = (gdown.exceptions.DownloadError, requests.RequestException)
    with pytest.raises(errors, match=message):
        fetched(file_id, tmp_path / "days")


def test_gdown_accepts_wrong_content(drive: DriveEmulator, tmp_path: Path) -> None:
    file_id = drive.add("days", b"first content")
    drive.item("days").contents.append(b"later content")
    drive.add("other", b"other content")
    contents = []
    for fault in ("tamper", "swap", "replay", "attached html"):
        drive.fail(fault, instead="other")
        contents.append(fetched(file_id, tmp_path / "days"))
    html = b"<html><p>One moment, please.</p></html>"
    assert contents == [b"mater content", b"other content", b"first content", html]
