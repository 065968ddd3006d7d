"""Mi Fitness: tags, zeros, and midnight as an instant."""

from pathlib import Path
from zoneinfo import ZoneInfo

from fitness_assets_tests.support.exports import example_files, import_path, write_files

HEADER = "Uid,Sid,Tag,Key,Time,Value,UpdateTime\n"


def test_only_the_daily_report_is_used(tmp_path: Path) -> None:
    write_files(tmp_path, example_files("mi_fitness"))
    found = import_path(tmp_path, zone=ZoneInfo("Europe/Berlin"))
    assert found.record("2026-01-03")["steps"] == 8123


def test_zeros_are_missing(tmp_path: Path) -> None:
    text = HEADER + '0,a,daily_report,steps,1767394800,"{""steps"":0,""distance"":12}",0\n'
    found = import_path(write_files(tmp_path, {"a.csv": text}), zone=ZoneInfo("Europe/Berlin"))
    record = found.record("2026-01-03")
    assert "steps" not in record
    assert record["distance_km"] == 0.012


def test_local_midnight_is_the_start_of_the_day_in_the_declared_zone(tmp_path: Path) -> None:
    text = HEADER + '0,a,daily_report,steps,1767369600,"{""steps"":10}",0\n'
    found = import_path(write_files(tmp_path, {"a.csv": text}), zone=ZoneInfo("Asia/Shanghai"))
    assert [str(day) for _, day in found.records] == ["2026-01-03"]
