"""Forgotten users in the imports, the inbox and the list of forgotten users."""

import json
import shutil
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from fitness_assets.errors import ForgottenUserError, SourceError
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.import_store import stored_imports
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.inbox import import_waiting, waiting_exports
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets.storage.trace_search import search
from fitness_assets.storage.traces import Traces
from fitness_assets_tests.support.tidy import write_tidy

DELIVERED = datetime(2024, 1, 1, tzinfo=UTC)
BERT = ["bert,2023-04-30,9,1800,70,7,walking", "bert,2023-05-01,9,1800,70,7,walking"]
CORBIN = ["corbin,2023-04-30,1,1800,70,7,walking", "corbin,2023-05-02,1,1800,70,7,walking"]


@pytest.fixture
def pseudonyms(tmp_path: Path) -> Pseudonyms:
    return Pseudonyms(tmp_path / "people")


@pytest.fixture
def imports(tmp_path: Path, pseudonyms: Pseudonyms) -> Imports:
    return Imports(tmp_path / "imports", pseudonyms)


@pytest.fixture
def traces(pseudonyms: Pseudonyms) -> Traces:
    return Traces([pseudonyms.pseudonym("corbin")], ["corbin"])


def test_the_list_of_forgotten_users_names_nobody(tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    user = pseudonyms.pseudonym("corbin")
    pseudonyms.forget(user, "u17")
    stored = (tmp_path / "people" / "forgotten.json").read_text()
    assert not any(each in stored for each in (user, "u17"))
    is_forgotten = pseudonyms.forgotten()
    assert [is_forgotten(each) for each in (user, "u17", " u17\u200b", "u1")] == [
        *(True, True, True),
        False,
    ]


def test_forgetting_is_unfinished_until_nothing_is_left(pseudonyms: Pseudonyms) -> None:
    pseudonyms.forget("u1", "u2")
    assert pseudonyms.is_unfinished("u0", "u2")
    pseudonyms.finish_forgetting("u1", "u2")
    assert not pseudonyms.is_unfinished("u1", "u2")
    assert pseudonyms.forgotten()("u1")


def test_a_list_that_an_older_version_stored_is_read_and_replaced(
    tmp_path: Path, pseudonyms: Pseudonyms
) -> None:
    user = pseudonyms.pseudonym("corbin")
    path = tmp_path / "people" / "forgotten.json"
    path.write_text(json.dumps([user]) + "\n")
    assert pseudonyms.forgotten()(user)
    pseudonyms.forget("p1")
    assert pseudonyms.forgotten()(user)
    assert pseudonyms.is_unfinished(user), "the older version left traces"
    assert user not in path.read_text()


@pytest.mark.parametrize(
    "written", ["Zoë Q", unicodedata.normalize("NFD", "Zoë Q"), " Zoë  Q\ufeff"]
)
def test_every_spelling_of_a_name_is_one_user(written: str, pseudonyms: Pseudonyms) -> None:
    user = pseudonyms.pseudonym("Zoë Q")
    # Version 0.2 did not normalize names.
    earlier = pseudonyms.pseudonym_as_written(unicodedata.normalize("NFD", "Zoë Q"))
    assert {user, earlier, written} <= set(pseudonyms.possible_ids(written))
    assert pseudonyms.possible_ids(user)[0] == user
    with pytest.raises(SourceError, match="blank"):
        pseudonyms.possible_ids(" \u200b")


def test_an_import_without_a_forgotten_user_is_as_if_it_never_held_the_user(
    tmp_path: Path, imports: Imports, pseudonyms: Pseudonyms, traces: Traces
) -> None:
    both = write_tidy(tmp_path / "corbin, bert.csv", BERT[0], *CORBIN, "corbin,soon,,,,,", BERT[1])
    imports.add(both, ImportOptions(delivered=DELIVERED, source_order=("Corbin's watch",)))
    alone = Imports(tmp_path / "alone", pseudonyms)
    alone.add(write_tidy(tmp_path / "b.csv", *BERT), ImportOptions(delivered=DELIVERED))
    assert list(search(tmp_path / "imports", traces))
    imports.forget(pseudonyms.pseudonym("corbin"), "p0", traces=traces)
    assert list(search(tmp_path / "imports", traces)) == []
    for month in ("2023-04", "2023-05"):
        assert imports.version(month) == alone.version(month)
    (stored,) = stored_imports(tmp_path / "imports")
    assert stored.info.name == "forgotten-user, bert.csv"
    assert stored.info.options.source_order == ["forgotten-user's watch"]


def test_the_name_is_removed_from_imports_of_others(
    tmp_path: Path, imports: Imports, pseudonyms: Pseudonyms, traces: Traces
) -> None:
    imports.add(write_tidy(tmp_path / "from corbin.csv", *BERT), ImportOptions())
    version = imports.version("2023-04")
    imports.forget(pseudonyms.pseudonym("corbin"), "p0", traces=traces)
    assert [info.name for info in imports.all()] == ["from forgotten-user.csv"]
    assert imports.version("2023-04") == version
    assert pa.Table.from_batches(imports.read("2023-04")).num_rows == 1


def test_later_exports_of_a_forgotten_user_leave_nothing(
    tmp_path: Path, imports: Imports, pseudonyms: Pseudonyms, traces: Traces
) -> None:
    pseudonyms.forget(pseudonyms.pseudonym("corbin"))
    inbox = tmp_path / "inbox"
    write_tidy(inbox / "corbin" / "days.csv", ",2023-05-01,9,1800,70,7,walking")
    write_tidy(inbox / "of corbin.csv", *CORBIN)
    write_tidy(inbox / "corbin and bert.csv", *CORBIN, *BERT)
    (inbox / "corbin" / "broken.zip").write_bytes(b"no zip")
    log: list[str] = []
    import_waiting(waiting_exports(inbox, 0), imports, ZoneInfo("UTC"), log.append)
    assert list(search(tmp_path / "imports", traces)) == []
    assert waiting_exports(inbox, 0) == []
    (info,) = imports.all()
    assert info.users == [pseudonyms.pseudonym("bert")]
    assert log.count("an export of a forgotten user was removed from the inbox") == 3
    with pytest.raises(ForgottenUserError, match="only data of users who were forgotten"):
        imports.add(write_tidy(tmp_path / "c.csv", *CORBIN), ImportOptions())


def test_rejected_files_of_a_forgotten_user_are_removed(
    tmp_path: Path, imports: Imports, pseudonyms: Pseudonyms, traces: Traces
) -> None:
    for name, user in (("a.csv", "corbin"), ("b.csv", "bert"), ("c.csv", None)):
        path = tmp_path / name
        path.write_text(name)
        imports.reject(path, "of no known format", user)
    removed = imports.forget_rejected({pseudonyms.pseudonym("corbin")}, traces)
    assert removed == 2, "that of corbin, and that of an unknown user"
    assert [entry.file for entry in imports.rejected()] == ["b.csv"]


def test_the_list_of_a_later_home_is_merged_and_that_of_another_refused(tmp_path: Path) -> None:
    older, other = Pseudonyms(tmp_path / "older"), Pseudonyms(tmp_path / "other")
    older.forget("anna")
    shutil.copytree(tmp_path / "older", tmp_path / "later")
    Pseudonyms(tmp_path / "later").forget("bert")
    older.forget("carl")
    older.forget_those_of(tmp_path / "later" / "forgotten.json")
    assert [*filter(older.forgotten(), ["anna", "bert", "carl", "dora"])] == [
        "anna",
        "bert",
        "carl",
    ]
    other.forget("dora")
    with pytest.raises(SourceError, match="is the list of another home"):
        older.forget_those_of(tmp_path / "other" / "forgotten.json")
    fresh = Pseudonyms(tmp_path / "fresh")
    fresh.forget_those_of(tmp_path / "later" / "forgotten.json")
    assert fresh.forgotten()("bert")
