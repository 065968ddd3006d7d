"""The tables of `person_history` in a release: for whom, in which order, and within limits."""

import io
from datetime import date
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fitness_assets.errors import ReleaseError
from fitness_assets.history import findings, summaries
from fitness_assets.history.schema import FINDINGS, HISTORY_TABLES, SUMMARIES
from fitness_assets.release import build
from fitness_assets.release.acceptance import check_people
from fitness_assets.release.bundle import DataReport
from fitness_assets.release.people import Privacy, split
from fitness_assets.release.store import ReleaseStore
from fitness_assets_tests.support.lives import as_days, life
from fitness_assets_tests.support.people_bundles import MONTH, USERS, days_of, publish_month
from fitness_assets_tests.support.releases import release_info

LAST = date(2023, 5, 31)

pytestmark = pytest.mark.one_process


@pytest.fixture(scope="module")
def history() -> dict[str, pa.Table]:
    lives = {user: life(date(2023, 2, 1), LAST, number) for number, user in enumerate(USERS)}
    days = as_days(lives)
    return {
        "summaries": summaries.summarize(days, MONTH, LAST),
        "findings": findings.find(days, LAST, USERS),
    }


@pytest.fixture(scope="module")
def files(
    history: dict[str, pa.Table], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    found, _ = publish_month(tmp_path_factory.mktemp("home"), days_of(USERS), history=history)
    return found


def test_the_tables_are_in_the_private_bundle_only(files: dict[str, bytes]) -> None:
    names = {f"{name}.parquet" for name in HISTORY_TABLES}
    public, private = split(files, "private")
    assert not names & public.keys()
    assert names <= private.keys()
    check_people(private, MONTH)
    public, private = split(files, "none")
    assert not names & (public.keys() | private.keys())


def test_the_rows_of_one_user_are_read(
    files: dict[str, bytes], history: dict[str, pa.Table], tmp_path: Path
) -> None:
    _, private = split(files, "private")
    release = ReleaseStore(tmp_path, private=True).publish(private, release_info(MONTH))
    for name in HISTORY_TABLES:
        own = release.table(name, user=USERS[3])
        assert set(own["user_id"]) == {USERS[3]}
        assert len(own) == history[name]["user_id"].to_pylist().count(USERS[3])


def _one_part(table: pa.Table) -> list[pa.Table]:
    return [table]


def test_release_ids_replace_users_and_rows_are_sorted_by_them(
    history: dict[str, pa.Table],
) -> None:
    report = DataReport(
        delivered=0, unread={}, checks=[], rows=0, bytes=0, bytes_read=0, columns=0, columns_read=0
    )
    inputs = build.Inputs(
        month=MONTH,
        days=days_of(USERS),
        data=report,
        upstream={},
        models={},
        segments=None,
        backtest=None,
        compression=None,
        privacy=Privacy(people="public", by_hand=True, real=True, smallest_cell=5),
        tables_by_user={name: partial(_one_part, table) for name, table in history.items()},
    )
    renamed = build.with_release_ids(inputs, lambda user: f"r{user[::-1]}")
    for name, schema in (("summaries", SUMMARIES), ("findings", FINDINGS)):
        (table,) = renamed.tables_by_user[name]()
        assert table.schema == schema
        users = table["user_id"].to_pylist()
        assert users == sorted(users)
        assert set(users) == {f"r{user[::-1]}" for user in USERS}
        own = table.filter(pc.equal(table["user_id"], f"r{USERS[0][::-1]}"))
        before = history[name].filter(pc.equal(history[name]["user_id"], USERS[0]))
        assert own.drop(["user_id"]).equals(before.drop(["user_id"]))


@pytest.mark.parametrize("name", HISTORY_TABLES)
def test_a_table_with_other_columns_is_refused(files: dict[str, bytes], name: str) -> None:
    _, private = split(files, "private")
    table = pq.read_table(io.BytesIO(private[f"{name}.parquet"]))
    for changed in (
        table.drop(["measure"]),
        table.set_column(1, table.column_names[1], pa.array([1.5] * len(table))),
    ):
        content = io.BytesIO()
        pq.write_table(changed, content)
        with pytest.raises(ReleaseError, match=f"{name}.parquet has no column"):
            check_people({f"{name}.parquet": content.getvalue()}, MONTH)


def test_many_findings_are_refused(files: dict[str, bytes]) -> None:
    _, private = split(files, "private")
    table = pq.read_table(io.BytesIO(private["findings.parquet"]))
    content = io.BytesIO()
    pq.write_table(pa.concat_tables([table] * (1 + 20_000 // len(table))), content)
    with pytest.raises(ReleaseError, match="the limits are"):
        check_people({"findings.parquet": content.getvalue()}, MONTH)
