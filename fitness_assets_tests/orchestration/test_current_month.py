"""FITNESS_LAST_MONTH=now: the month that has not ended, by a fixed clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fitness_assets import clock, months
from fitness_assets.definitions import build_defs
from fitness_assets.orchestration.freshness import due_month
from fitness_assets.orchestration.outside import outside_note
from fitness_assets.orchestration.partitions import monthly
from fitness_assets.orchestration.propagation import current_plan
from fitness_assets.orchestration.staleness import Partition
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.fixed_clock import set_time
from fitness_assets_tests.support.platform import MakeSettings, materialize
from fitness_assets_tests.support.tidy import write_tidy

ZONES = ["", "Pacific/Auckland", "America/Los_Angeles", "Europe/Berlin"]
START = datetime(2023, 12, 31, tzinfo=UTC)


def range_of(last: str, zone: str = "", first: str = "2023-11") -> Settings:
    environ = {
        "FITNESS_FIRST_MONTH": first,
        "FITNESS_LAST_MONTH": last,
        "FITNESS_TIMEZONE": zone,
    }
    return Settings.from_env(environ)


@pytest.mark.parametrize(
    ("now", "zone", "last"),
    [
        ("2024-02-01 00:00", "", "2024-02"),
        ("2024-02-29 23:59", "", "2024-02"),
        ("2024-03-01 00:00", "", "2024-03"),
        ("2023-02-28 23:59", "", "2023-02"),
        ("2023-03-01 00:00", "", "2023-03"),
        ("2023-12-31 23:59", "", "2023-12"),
        ("2024-01-01 00:00", "", "2024-01"),
        ("2024-01-31 22:59", "Europe/Berlin", "2024-01"),
        ("2024-01-31 23:00", "Europe/Berlin", "2024-02"),
        ("2024-02-01 07:59", "America/Los_Angeles", "2024-01"),
    ],
)
def test_the_range_ends_with_the_month_of_today(
    monkeypatch: pytest.MonkeyPatch, now: str, zone: str, last: str
) -> None:
    set_time(monkeypatch, now)
    current = range_of("now", zone, "2022-11").months()
    assert current[-1] == last
    assert range_of("open", zone, "2022-11").months() == current[:-1]
    assert range_of("2024-06", zone, "2022-11").months() == current[:-1], (
        "a declared last month is in the range once it has ended"
    )


@hypothesis_settings(deadline=None, max_examples=60)
@given(
    st.datetimes(datetime(2023, 12, 1), datetime(2024, 4, 2)),  # noqa: DTZ001 - in UTC
    st.sampled_from(ZONES),
    st.sampled_from(["now", "open", "2024-02"]),
    st.sampled_from(["2023-11", "2023-12"]),
)
def test_dagster_has_the_partitions_of_the_range_without_a_restart(
    now: datetime, zone: str, last: str, first: str
) -> None:
    settings = range_of(last, zone, first)
    partitions = monthly(settings)
    with pytest.MonkeyPatch.context() as patch:
        for later in (now, now + timedelta(days=40)):
            set_time(patch, str(later))
            if first <= months.key(clock.today(settings.zone)):
                assert list(partitions.get_partition_keys()) == settings.months()


@pytest.mark.parametrize("last", ["open", "now"])
def test_a_month_that_has_not_ended_is_never_due(last: str) -> None:
    settings = range_of(last, "Pacific/Auckland")
    assert due_month(settings, datetime(2024, 3, 2, 22, 59, tzinfo=UTC)) == "2024-01"
    assert due_month(settings, datetime(2024, 3, 2, 23, 0, tzinfo=UTC)) == "2024-02"
    assert due_month(settings, datetime(2024, 3, 31, 10, 0, tzinfo=UTC)) == "2024-02"


@pytest.mark.parametrize(
    ("last", "changed", "outside", "settings"),
    [
        ("now", {"2024-02"}, "", ""),
        ("open", {"2024-01"}, "", ""),
        ("open", {"2024-01", "2024-02"}, "2024-02", "FITNESS_LAST_MONTH=now (2024-02 has not"),
        ("2024-02", {"2024-02"}, "2024-02", "FITNESS_LAST_MONTH=now (2024-02 has not"),
        (
            "2023-12",
            {"2023-10", "2024-01"},
            "2023-10, 2024-01",
            "FITNESS_FIRST_MONTH=2023-10 FITNESS_LAST_MONTH=2024-01",
        ),
        ("now", {"2023-10", "2024-02"}, "2023-10", "FITNESS_FIRST_MONTH=2023-10"),
        ("now", {"2024-03"}, "2024-03", ""),
    ],
)
def test_an_import_says_which_setting_includes_its_months(
    monkeypatch: pytest.MonkeyPatch, last: str, changed: set[str], outside: str, settings: str
) -> None:
    set_time(monkeypatch, "2024-02-10 12:00")
    note = outside_note(range_of(last), changed)
    if not outside:
        assert note is None
        return
    assert note is not None
    assert len(note.splitlines()) == 1
    named, _, hint = note.partition("; ")
    assert named == (
        "not in the range FITNESS_FIRST_MONTH=2023-11 to "
        f"FITNESS_LAST_MONTH={last}, not materialized: {outside}"
    )
    assert hint.partition(", set ")[2].startswith(settings)
    assert bool(hint) == bool(settings)
    assert hint.endswith(", then run `fitness backfill --stale`") == bool(settings)


RAW = ["raw_telemetry"]


def stored(settings: Settings, month: str) -> tuple[str, str | None]:
    """Data version of the raw records of `month`, and its last day so far."""
    workspace = Workspace.of(settings)
    last = workspace.partial_until(month)
    return workspace.raw.published(month).data_version, str(last) if last else None


def test_a_partial_month_changes_with_its_records_and_not_with_the_day(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(
        tmp_path,
        FITNESS_SOURCE="exports",
        FITNESS_FIRST_MONTH="2024-01",
        FITNESS_LAST_MONTH="now",
    )
    imports = configured_imports(settings)

    def add(*days: str) -> None:
        rows = [f"anna,{day},4000,1900,66,7,walking" for day in days]
        imports.add(write_tidy(tmp_path / f"{days[-1]}.csv", *rows), ImportOptions())

    def reason(month: str) -> str | None:
        with dg.DagsterInstance.ephemeral() as instance:
            found = current_plan(settings, instance).stale
        return found.get(Partition("raw_telemetry", month))

    with dg.DagsterInstance.ephemeral() as instance:
        set_time(monkeypatch, "2024-02-03 12:00")
        add("2024-01-31", "2024-02-01", "2024-02-02")
        for month in ("2024-01", "2024-02"):
            materialize(settings, month, instance, RAW)
        january = stored(settings, "2024-01")
        assert january[1] is None
        first = stored(settings, "2024-02")
        assert first[1] == "2024-02-02"
        (evaluation,) = instance.fetch_materializations(dg.AssetKey(RAW), limit=1).records
        assert evaluation.asset_materialization is not None
        assert evaluation.asset_materialization.metadata["PARTIAL"].value == (
            "days 1 to 2 of 2024-02"
        )

        set_time(monkeypatch, "2024-02-20 12:00")
        assert reason("2024-02") is None, "only the day has changed"
        materialize(settings, "2024-02", instance, RAW)
        assert stored(settings, "2024-02") == first

        add("2024-02-19")
        assert reason("2024-02") == "source/2024-02 changed"
        materialize(settings, "2024-02", instance, RAW)
        second = stored(settings, "2024-02")
        assert second[1] == "2024-02-19"

        set_time(monkeypatch, "2024-03-01 00:00")
        assert reason("2024-02") == ("it is partial, days 1 to 19 of 2024-02, and has ended since")
        assert reason("2024-01") is None
        materialize(settings, "2024-02", instance, RAW)
        assert reason("2024-02") is None
        whole = stored(settings, "2024-02")
        assert whole[1] is None
        assert whole[0] != second[0]
        assert stored(settings, "2024-01") == january


def test_a_record_of_the_far_future_is_not_a_day_so_far(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(
        tmp_path,
        FITNESS_SOURCE="exports",
        FITNESS_FIRST_MONTH="2024-02",
        FITNESS_LAST_MONTH="now",
    )
    set_time(monkeypatch, "2024-02-10 12:00")
    path = write_tidy(
        tmp_path / "days.csv",
        *(f"anna,2024-02-{day},4000,1900,66,7,walking" for day in ("09", "11", "25")),
    )
    configured_imports(settings).add(path, ImportOptions())
    with dg.DagsterInstance.ephemeral() as instance:
        materialize(settings, "2024-02", instance, RAW)
    assert stored(settings, "2024-02")[1] == "2024-02-11", "the 11th has begun in some zones"


def test_the_cohort_has_the_days_so_far(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(tmp_path, FITNESS_COHORT_USERS="3", FITNESS_LAST_MONTH="now")
    month = "2023-05"
    partition = Partition("raw_telemetry", month)

    def is_stale() -> bool:
        with dg.DagsterInstance.ephemeral() as instance:
            return partition in current_plan(settings, instance).stale

    with dg.DagsterInstance.ephemeral() as instance:
        set_time(monkeypatch, "2023-05-09 12:00")
        materialize(settings, month, instance, RAW)
        assert stored(settings, month)[1] == "2023-05-09"
        assert not is_stale()
        set_time(monkeypatch, "2023-05-10 00:00")
        assert is_stale(), "a day has been added"
        materialize(settings, month, instance, RAW)
        assert stored(settings, month)[1] == "2023-05-10"
        set_time(monkeypatch, "2023-06-01 00:00")
        assert is_stale()
        materialize(settings, month, instance, RAW)
        assert not is_stale()
        assert stored(settings, month)[1] is None
    closed = make_settings(tmp_path / "closed", FITNESS_COHORT_USERS="3")
    with dg.DagsterInstance.ephemeral() as instance:
        materialize(closed, month, instance, RAW)
    assert stored(closed, month) == stored(settings, month)


def test_the_schedule_uses_the_zone_of_months(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings(
        tmp_path, FITNESS_LAST_MONTH="now", FITNESS_TIMEZONE="Pacific/Auckland"
    )
    schedule = build_defs(settings).resolve_schedule_def("last_complete_month")
    assert schedule.execution_timezone == "Pacific/Auckland"
