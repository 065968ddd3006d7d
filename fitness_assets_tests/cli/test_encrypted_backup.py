"""`fitness backup` with encryption: only the secret of the recipient restores it."""

import hashlib
from pathlib import Path

import pytest

from fitness_assets.storage.backup_places import open_place
from fitness_assets_tests.support.backups import (
    Keys,
    error_of,
    imported_home,
    run,
    secret_file,
    stored_names,
)
from fitness_assets_tests.support.object_store import S3Server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return imported_home(tmp_path, monkeypatch)


@pytest.mark.parametrize("case", ["key, folder", "passphrase, object store"])
def test_an_encrypted_backup_is_restored_by_its_secret_only(
    case: str,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    object_store: S3Server,
) -> None:
    by, place = case.split(", ")
    to = object_store.use(monkeypatch) if place == "object store" else str(tmp_path / "backup")
    keys, other = Keys.new(tmp_path / "mine.key"), Keys.new(tmp_path / "other.key")
    passphrase = str(secret_file(tmp_path, "passphrase", "open sesame\n"))
    wrong = str(secret_file(tmp_path, "wrong", "open barley"))
    empty = str(secret_file(tmp_path, "empty", "\n"))
    with_secret = ["--identity", keys.file] if by == "key" else ["--passphrase-file", passphrase]
    with_wrong = ["--identity", other.file] if by == "key" else ["--passphrase-file", wrong]
    encrypt = ["--encrypt-to", keys.recipient] if by == "key" else with_secret
    assert "encrypted, verified" in run("backup", to, *encrypt, "--verify")

    names = stored_names(to)
    everything = b"".join(b"".join(open_place(to).chunks(name)) for name in names)
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in home.rglob("*.csv")]
    assert hashes
    for known in ("anna", "tidy", "FITNESS_SOURCE", *hashes):
        assert known.encode() not in everything
        assert not any(known in name for name in names)
    # The home has the key: later backups need no option, and copy what is new.
    assert "of which 0 bytes are new, encrypted" in run("backup", to)
    assert stored_names(to) == names
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "new"))
    option = "--identity" if by == "key" else "--passphrase-file"
    assert option in error_of("restore", to)
    assert f"cannot be opened with this {by}" in error_of("restore", to, *with_wrong)
    assert "it must be the passphrase" in error_of("restore", to, "--passphrase-file", empty)
    assert not (tmp_path / "new").exists()
    run("restore", to, *with_secret)
    for part in ("imports", "people"):
        for path in (home / part).rglob("*"):
            if path.is_file() and path.name != "_lock":
                restored = tmp_path / "new" / path.relative_to(home)
                assert restored.read_bytes() == path.read_bytes()
    # The restored home knows the key as well.
    assert "of which 0 bytes are new, encrypted" in run("backup", to)


def test_an_encrypted_backup_without_its_key_is_not_replaced(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys.new(tmp_path / "mine.key")
    backup = tmp_path / "backup"
    run("backup", str(backup), "--encrypt-to", keys.recipient)
    assert "a public key of age" in error_of(
        "backup", str(tmp_path / "second"), "--encrypt-to", "age1x"
    )
    other = Keys.new(tmp_path / "other.key")
    assert "is encrypted for others than --encrypt-to names" in error_of(
        "backup", str(backup), "--encrypt-to", other.recipient
    )
    (home / "backups.json").unlink()
    before = {path: path.read_bytes() for path in backup.rglob("*") if path.is_file()}
    for options in ([], ["--encrypt-to", keys.recipient]):
        assert "whose key this home does not have" in error_of("backup", str(backup), *options)
    assert {path: path.read_bytes() for path in backup.rglob("*") if path.is_file()} == before
    run("backup", str(tmp_path / "plain"))
    assert "is not encrypted; use another place" in error_of(
        "backup", str(tmp_path / "plain"), "--encrypt-to", keys.recipient
    )
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "new"))
    empty = secret_file(tmp_path, "empty", "# a comment\n")
    (backup / "key.age").write_bytes(before[backup / "key.age"][:40])
    assert "key.age is damaged or truncated" in error_of(
        "restore", str(backup), "--identity", keys.file
    )
    assert "holds no key" in error_of("restore", str(backup), "--identity", str(empty))
    (backup / "key.age").unlink()
    assert "the key of the backup, is missing" in error_of(
        "restore", str(backup), "--identity", keys.file
    )


@pytest.mark.parametrize("file", ["content", "manifest"])
@pytest.mark.parametrize("damage", ["changed", "truncated", "of another file"])
def test_a_damaged_encrypted_backup_is_not_restored(
    file: str, damage: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys.new(tmp_path / "mine.key")
    backup = tmp_path / "backup"
    run("backup", str(backup), "--encrypt-to", keys.recipient)
    assert home.is_dir()
    first, second, *_ = sorted((backup / "contents").glob("*/*"))
    path = first if file == "content" else backup / "backup.age"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(
        {
            "changed": bytes(content),
            "truncated": path.read_bytes()[:-3],
            "of another file": second.read_bytes(),
        }[damage]
    )
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "new"))
    message = error_of("restore", str(backup), "--identity", keys.file)
    assert str(path) in message
    assert "damaged" in message or "cannot be read" in message
    assert not (tmp_path / "new").exists()
