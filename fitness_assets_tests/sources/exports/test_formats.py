"""Every format against its examples: recognition, declared columns and user ids."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.record.raw import FULL_SCHEMA
from fitness_assets.sources.exports.registry import FORMATS, detect_format
from fitness_assets_tests.support.exports import (
    COMBINED,
    EXAMPLES,
    example_files,
    import_path,
    write_files,
    write_zip,
)

NAMES = list(FORMATS)


def test_every_format_has_examples_and_a_priority_of_its_own() -> None:
    assert {folder.name for folder in EXAMPLES.iterdir()} == set(FORMATS)
    priorities = [each.priority for each in FORMATS.values()]
    assert priorities == sorted(set(priorities))
    assert NAMES[-1] == "tidy"


@pytest.mark.parametrize("name", NAMES)
def test_every_example_file_is_recognized_by_its_content_alone(tmp_path: Path, name: str) -> None:
    for content in (
        content for file, content in example_files(name).items() if not needs_its_name(name, file)
    ):
        write_files(tmp_path, {"upload.bin": content, "other/notes.txt": "hello"})
        assert detect_format(tmp_path / "upload.bin") == name
        assert detect_format(tmp_path) == name
        assert detect_format(write_zip(tmp_path / "a.dat", {"deep/in/x.bin": content})) == name
        matching = [each.name for each in FORMATS.values() if each.matches_header(content)]
        # A file of days of another format may also be read as a tidy file, which comes last.
        assert [each for each in matching if each != "tidy" or name == "tidy"] == [name]


def needs_its_name(name: str, file: str) -> bool:
    """Whether the first bytes of an example are not enough to recognize it."""
    content = example_files(name)[file]
    return FORMATS[name].matches_file(file, content) and not any(
        each.matches_header(content) for each in FORMATS.values()
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_needs_its_name_is_recognized_in_any_folder(tmp_path: Path, name: str) -> None:
    for file, content in example_files(name).items():
        if needs_its_name(name, file):
            write_files(tmp_path / file, {f"deep/in/{file}": content})
            assert detect_format(tmp_path / file) == name
            matching = [
                each.name for each in FORMATS.values() if each.matches_file(f"in/{file}", content)
            ]
            assert matching == [name]


@pytest.mark.parametrize("name", sorted(COMBINED))
def test_the_examples_fill_exactly_the_declared_columns(tmp_path: Path, name: str) -> None:
    imported = import_path(write_files(tmp_path, example_files(name)), zone=ZoneInfo("UTC"))
    assert imported.quarantined == []
    filled = {column for record in imported.records.values() for column in record}
    assert filled - {"source"} == set(FORMATS[name].columns)
    assert {record["source"] for record in imported.records.values()} == {name}
    of_workouts = {column for row in imported.workouts for column in row}
    always = {"user_id", "start", "local_start", "source", "ingested_at"}
    assert of_workouts - always == set(FORMATS[name].workouts)
    assert {row["source"] for row in imported.workouts} <= {name}


def test_a_tidy_file_fills_every_column(tmp_path: Path) -> None:
    values = {"date": "2023-04-02", "calories_kind": "total", "ingested_at": "2023-04-03"}
    values |= {"sleep_start": "2023-04-01 23:10", "sleep_end": "2023-04-02T07:00:00"}
    names = FULL_SCHEMA.names
    rows = [names, [values.get(name, "7") for name in names]]
    write_files(tmp_path, {"days.csv": "\n".join(map(",".join, rows))})
    imported = import_path(tmp_path)
    assert imported.quarantined == []
    assert imported.record("2023-04-02", "7").keys() == FORMATS["tidy"].columns.keys()


@pytest.mark.parametrize("name", NAMES)
def test_formats_without_user_ids_need_a_declared_user(tmp_path: Path, name: str) -> None:
    write_files(tmp_path, example_files(name))
    if FORMATS[name].has_user_ids:
        assert import_path(tmp_path, user=None).records == import_path(tmp_path).records
    else:
        with pytest.raises(SourceError, match="has no user ids: name the user"):
            import_path(tmp_path, user=None)
