"""Traces of a user in what Dagster recorded."""

import zlib
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from fitness_assets.orchestration.run_records import (
    rewrite_database,
    rewrite_records,
    search_servers,
    unreachable_records,
)
from fitness_assets.storage.trace_search import search
from fitness_assets.storage.traces import REPLACEMENT, Traces
from fitness_assets_tests.support.postgres import running_postgres

PSEUDONYM = f"p{'0123456789' * 2}"
TRACES = Traces([PSEUDONYM], ["corbin"])


def test_dagsters_records_name_the_user_no_more_and_keep_their_events(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").touch()
    log = tmp_path / "storage" / "run" / "compute_logs" / "step.out"
    log.parent.mkdir(parents=True)
    log.write_text("corbin.zip: 3 records of anna\n")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:

        @dg.asset
        def table(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
            context.log.info(f"read corbin.zip of {PSEUDONYM}")
            return dg.MaterializeResult(metadata={"user": PSEUDONYM, "rows": 3})

        tags = {"user": "corbin"}
        assert dg.materialize([table], instance=instance, tags=tags).success
        assert list(search(tmp_path, TRACES))
        assert rewrite_records(instance, tmp_path, TRACES) > 0
        assert list(search(tmp_path, TRACES)) == []
        event = instance.get_latest_materialization_event(table.key)
        assert event is not None
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["user"].value == REPLACEMENT
        assert event.asset_materialization.metadata["rows"].value == 3
        assert rewrite_records(instance, tmp_path, TRACES) == 0
    assert log.read_text() == f"{REPLACEMENT}.zip: 3 records of anna\n"
    for path in tmp_path.rglob("*.db*"):
        assert not TRACES.may_be_in_pages(path.read_bytes()), "a deleted row is still in the file"


def test_the_records_of_a_database_server_name_the_user_no_more(tmp_path: Path) -> None:
    with running_postgres() as (url, folder):
        storage = f"storage:\n  postgres:\n    postgres_url: {url}\n"
        (tmp_path / "dagster.yaml").write_text(storage)
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:

            @dg.op
            def read(context: dg.OpExecutionContext) -> None:
                context.log.info(f"read corbin.zip of {PSEUDONYM}")

            @dg.job(tags={"user": "corbin"})
            def job() -> None:
                read()

            assert job.execute_in_process(instance=instance).success
            assert any("event_logs" in found for found in search_servers(instance, TRACES))
            assert rewrite_records(instance, tmp_path, TRACES) > 0
            assert list(search_servers(instance, TRACES)) == []
            assert rewrite_records(instance, tmp_path, TRACES) == 0
            assert unreachable_records(instance) == [
                "the write-ahead log and the backups of the database postgres"
            ]
            assert [run.tags["user"] for run in instance.get_runs()] == [REPLACEMENT]
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text("CHECKPOINT"))
        for path in (folder / "base").rglob("*"):
            if path.is_file():
                assert not TRACES.may_be_in_pages(path.read_bytes()), path


@pytest.mark.parametrize("key", ["id INTEGER PRIMARY KEY", "id INTEGER"])
def test_rows_with_and_without_a_key_are_rewritten(key: str, tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE snapshots ({key}, name TEXT, body BLOB)"))
        body = zlib.compress(b'{"user": "corbin"}')
        insert = sa.text("INSERT INTO snapshots VALUES (:id, :name, :body)")
        connection.execute(insert, [{"id": 1, "name": "corbin", "body": body}])
        connection.execute(insert, [{"id": 2, "name": "anna", "body": b"\0\xff"}])
    assert rewrite_database(engine, TRACES) == 1
    with engine.connect() as connection:
        first, second = connection.execute(sa.text("SELECT name, body FROM snapshots ORDER BY id"))
    assert (first[0], zlib.decompress(first[1])) == (
        REPLACEMENT,
        f'{{"user": "{REPLACEMENT}"}}'.encode(),
    )
    assert tuple(second) == ("anna", b"\0\xff")
