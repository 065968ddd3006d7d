import math

import msgspec
import numpy as np
import pytest

from fitness_assets.errors import StorageError
from fitness_assets.storage import documents


class Score(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    value: float


def test_a_document_is_read_back_and_equal_documents_give_equal_bytes() -> None:
    score = Score(name="r2", value=0.5)
    content = documents.encode(score)
    assert documents.decode(content, Score, "metrics.json") == score
    assert documents.encode({"value": 0.5, "name": "r2"}) == content
    assert documents.convert({"name": "r2", "value": 0.5}, Score, "metrics.json") == score


def test_numpy_numbers_are_stored_as_python_numbers() -> None:
    values = {"a": np.float64(0.5), "b": np.int64(2), "c": np.bool_(True)}
    assert documents.plain(values) == {"a": 0.5, "b": 2, "c": True}
    with pytest.raises(TypeError, match="object cannot be stored as JSON"):
        documents.plain(object())
    with pytest.raises(ValueError, match="not JSON compliant"):
        documents.encode({"value": math.nan})


@pytest.mark.parametrize(
    "content", [b"{", b"\xff", b"[" * 100_000, b'{"name": "r2"}', b'{"name": 1, "value": 0.5}']
)
def test_a_malformed_document_is_named(content: bytes) -> None:
    with pytest.raises(StorageError, match=r"metrics\.json cannot be read"):
        documents.decode(content, Score, "metrics.json")


def test_a_malformed_mapping_is_named() -> None:
    with pytest.raises(StorageError, match=r"info cannot be read: .*`\$.value`"):
        documents.convert({"name": "r2", "value": "high"}, Score, "info")
