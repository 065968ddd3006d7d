"""Every format against its examples: recognition, declared columns and user ids."""

from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.record.raw import SCHEMA
from fitness_assets.sources.exports.registry import FORMATS, detect_format
from fitness_assets_tests.support.exports import (
    EXAMPLES,
    example_files,
    import_path,
    write_files,
    write_zip,
)

NAMES = list(FORMATS)
# The user, the day and the format are in every record.
ALWAYS_FILLED = {"user_id", "date", "source"}


def test_every_format_has_examples_and_a_priority_of_its_own() -> None:
    assert {folder.name for folder in EXAMPLES.iterdir()} == set(FORMATS)
    priorities = [each.priority for each in FORMATS.values()]
    assert priorities == sorted(set(priorities))
    assert NAMES[-1] == "tidy"


@pytest.mark.parametrize("name", NAMES)
def test_every_example_file_is_recognized_by_its_content_alone(tmp_path: Path, name: str) -> None:
    for content in example_files(name).values():
        write_files(tmp_path, {"upload.bin": content, "other/notes.txt": "hello"})
        assert detect_format(tmp_path / "upload.bin") == name
        assert detect_format(tmp_path) == name
        assert detect_format(write_zip(tmp_path / "a.dat", {"deep/in/x.bin": content})) == name
        matching = [each.name for each in FORMATS.values() if each.matches_header(content)]
        assert matching == [name], "the priority decides only between files that nobody writes"


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_fill_exactly_the_declared_columns(tmp_path: Path, name: str) -> None:
    imported = import_path(write_files(tmp_path, example_files(name)))
    assert imported.quarantined == []
    declared = set(FORMATS[name].columns)
    assert declared <= set(SCHEMA.names)
    filled = {column for record in imported.records.values() for column in record}
    assert filled - ALWAYS_FILLED == declared - ALWAYS_FILLED
    sources = {record["source"] for record in imported.records.values()}
    assert (sources == {name}) is ("source" not in declared)


@pytest.mark.parametrize("name", NAMES)
def test_formats_without_user_ids_need_a_declared_user(tmp_path: Path, name: str) -> None:
    write_files(tmp_path, example_files(name))
    if FORMATS[name].has_user_ids:
        assert import_path(tmp_path, user=None).records == import_path(tmp_path).records
    else:
        with pytest.raises(SourceError, match="has no user ids: name the user"):
            import_path(tmp_path, user=None)
