"""Hostile files of models are refused before anything in them is constructed."""

import json
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import skops.io

from fitness_assets.errors import StorageError
from fitness_assets.storage import model_file
from fitness_assets.storage.models import dump, load, verify
from fitness_assets_tests.support.hostile_models import (
    FILES,
    shared_lists,
    skops_file,
    svr,
    with_protocol,
)
from fitness_assets_tests.support.models import trained_models


@pytest.fixture
def _nothing_is_constructed(monkeypatch: pytest.MonkeyPatch) -> None:
    def construct(*_: object, **__: object) -> None:
        pytest.fail("skops was called")

    monkeypatch.setattr(skops.io, "loads", construct)


@pytest.mark.usefixtures("_nothing_is_constructed")
@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused(name: str) -> None:
    make, reason = FILES[name]
    with pytest.raises(StorageError, match=reason) as error:
        load(make(), "x.skops")
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("_nothing_is_constructed")
@pytest.mark.parametrize("protocol", [-1, 0, 1, 3, True, 2.0, "2", None])
def test_other_versions_of_the_format_are_refused(protocol: Any) -> None:
    model, _ = trained_models()["segments"]
    for content in (svr(), dump(model)):
        with pytest.raises(StorageError, match=r"version .* of skops' format"):
            load(with_protocol(content, protocol), "x.skops")


@pytest.mark.parametrize("name", ["activity", "calories", "history", "segments"])
def test_a_type_that_is_not_declared_is_named_with_the_place_to_declare_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = dump(trained_models()[name][0])
    verify(content, "x.skops")
    allowed = model_file._ALLOWED - {("ObjectNode", "sklearn.pipeline.Pipeline")}
    monkeypatch.setattr(model_file, "_ALLOWED", allowed)
    with pytest.raises(StorageError, match=r"Pipeline.*PARTS in .*model_file\.py does not declare"):
        verify(content, "x.skops")


def test_what_is_loaded_is_what_was_checked() -> None:
    """Of two files with one name, or objects with one id, there is no unchecked second one."""
    content = dump(trained_models()["segments"][0])
    with zipfile.ZipFile(BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    stream = BytesIO(model_file.check(content).to_skops())
    with zipfile.ZipFile(stream) as archive:
        assert sorted(archive.namelist()) == sorted(members)
        assert "__id__" not in archive.read("schema.json").decode()
        assert all(archive.read(name) == members[name] for name in members if name[0].isdigit())


def test_lists_that_share_their_items_are_refused_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(StorageError, match="may be loaded"):
        load(shared_lists(), "x.skops")
    assert time.monotonic() - began < 10


def replace(value: Any, key: str, changed: Callable[[Any], Any]) -> Any:
    """`value` with `changed` applied to each item `key` of a dict in it."""
    if isinstance(value, dict):
        return {k: changed(v) if k == key else replace(v, key, changed) for k, v in value.items()}
    if isinstance(value, list):
        return [replace(each, key, changed) for each in value]
    return value


def changed_attribute(content: bytes, attribute: str, json_value: str) -> bytes:
    """The model with a JSON value in place of an attribute."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop("schema.json"))
    new = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"}
    changed = replace(schema, attribute, lambda _: new | {"content": json_value})
    assert changed != schema
    return skops_file(changed, members)


def test_attributes_that_compiled_code_would_not_check_are_checked() -> None:
    content = dump(trained_models()["segments"][0])
    for attribute in ("n_clusters", "n_features_in_"):
        with pytest.raises(StorageError, match="cluster centers of another shape"):
            load(changed_attribute(content, attribute, "99"), "x.skops")
    with pytest.raises(StorageError, match="may be loaded"):
        load(changed_attribute(content, "cluster_centers_", "[[1.0]]"), "x.skops")
    many = load(changed_attribute(content, "_n_threads", "1000000"), "x.skops")
    assert many[-1]._n_threads == 1
    content = dump(trained_models()["calories"][0])
    assert load(changed_attribute(content, "n_jobs", "1000"), "x.skops")[0].n_jobs is None
