"""The byte format: stable, deterministic, and safe to read from an untrusted source."""

import hashlib
import lzma
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import is_classifier

from fitness_assets.errors import PackedForestError
from fitness_assets.models.forests.packed import routing
from fitness_assets.models.forests.packed.estimator import PackedForest
from fitness_assets.models.forests.packed.format import FILTERS, HEADER, MAX_NODES, MAX_TREES
from fitness_assets_tests.support.forests import small_classifier, small_regressor, wide

QUICK = settings(deadline=None, derandomize=True, database=None, max_examples=80)


def test_bytes_of_version_1_are_read() -> None:
    x = [[0.0, 5.0], [1.0, 5.0], [2.0, np.nan], [3.0, 1.0]]
    regressor: Any = PackedForest.from_bytes(
        bytes.fromhex(
            "50464f5230b4a0670100020002000000060000000200000000000000000000000e0000000000005655"
            "55753e003d88cda5aae5ab96d9e3ed869f327f36b03ac56fb4a470da0c2a0c31908875d7ef737a5b76"
            "e69b7c705bd044a55fff2d820000"
        )
    )
    assert regressor.predict(x) == pytest.approx([7 / 3, 7 / 3, 7 / 3, 8], abs=1e-7)
    assert 7e-8 < regressor.value_error_ < 9e-8
    classifier: Any = PackedForest.from_bytes(
        bytes.fromhex(
            "50464f522d69d500010102000200000006000000020000000400000002000000350000000000000000"
            "000000003d88cc0edbb3cd0e251bea7bb0c46038e2f590aad0edad08be884c613319383b802c7f6599"
            "2a55ff8f0c1d7e35b53f4fd26c3e1b3209eb8533f4374e7af2bfdb05ccba6f52fc2b160d344bda64ff"
            "a4dce000"
        )
    )
    assert classifier.predict(x).tolist() == ["run", "run", "walk", "run"]
    expected = [[1, 0], [1, 0], [0.25, 0.75], [0.75, 0.25]]
    assert classifier.predict_proba(x).tolist() == expected


def test_equal_forests_are_equal_bytes_in_another_process() -> None:
    script = (
        "import hashlib\n"
        "from fitness_assets.models.forests.packed.estimator import PackedForest\n"
        "from fitness_assets_tests.support.forests import wide\n"
        "print(hashlib.sha256(PackedForest.of(wide()).to_bytes()).hexdigest())"
    )
    printed = subprocess.run(
        [sys.executable, "-R", "-c", script], check=True, capture_output=True, text=True
    ).stdout
    assert printed.strip() == hashlib.sha256(PackedForest.of(wide()).to_bytes()).hexdigest()


def seal(header: bytes, payload: bytes) -> bytes:
    """A file of any payload with the right checksum."""
    stream = lzma.compress(payload, lzma.FORMAT_RAW, filters=FILTERS)
    checked = header[8:] + stream
    return header[:4] + struct.pack("<I", zlib.crc32(checked)) + checked


def unseal(content: bytes) -> tuple[bytes, bytes]:
    size = HEADER.size
    return content[:size], lzma.decompress(content[size:], lzma.FORMAT_RAW, filters=FILTERS)


def error_of(content: bytes) -> str:
    """The error that decoding `content` raises, or "" if it is a forest, which must be valid."""
    try:
        forest: Any = PackedForest.from_bytes(content)
    except PackedForestError as error:
        return str(error)
    x = np.eye(forest.n_features_in_, dtype=np.float32)
    x = np.concatenate([x, np.full_like(x, np.nan)])
    predicted = forest.predict_proba(x) if is_classifier(forest) else forest.predict(x)
    assert np.isfinite(predicted).all()
    leaves = forest.trees_.leaves(x)
    assert np.all(forest.trees_.features[leaves] == forest.n_features_in_)
    decoded: Any = PackedForest.from_bytes(forest.to_bytes())
    assert np.array_equal(decoded.trees_.leaves(x), leaves)
    return ""


@pytest.mark.parametrize("make", [small_regressor, small_classifier])
def test_truncated_extended_and_changed_bytes_are_refused(make: Callable[[], Any]) -> None:
    content = make().to_bytes()
    for end in range(len(content)):
        assert error_of(content[:end])
    assert error_of(content + b"\0")
    generator = np.random.default_rng(0)
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= int(generator.integers(1, 256))
        assert error_of(bytes(flipped))


@QUICK
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(content: bytes) -> None:
    assert error_of(content)
    assert error_of(seal(unseal(small_regressor().to_bytes())[0], content))


@pytest.mark.parametrize("make", [small_regressor, small_classifier])
def test_changes_with_a_right_checksum_are_refused_or_harmless(make: Callable[[], Any]) -> None:
    header, payload = unseal(make().to_bytes())
    assert not error_of(seal(header, payload))
    generator = np.random.default_rng(1)
    errors = set()
    for at in range(8, len(header)):
        for value in (0, 1, 127, 255, header[at] ^ 1, int(generator.integers(256))):
            changed = bytearray(header)
            changed[at] = value
            errors.add(error_of(seal(bytes(changed), payload)))
    for at in range(len(payload)):
        for value in (0, 255, payload[at] ^ 1 << int(generator.integers(8))):
            changed = bytearray(payload)
            changed[at] = value
            errors.add(error_of(seal(header, bytes(changed))))
    messages = " ".join(errors)
    for message in (
        "version 255",
        "kind 255",
        "impossible number of trees or nodes",
        "no features",
        "impossible number of nodes",
        "more thresholds than splits",
        "too much JSON",
        "impossible number of class weights",
        "impossible rounding error",
        "the length of the stream",
        "names or classes",
        "a feature that does not exist",
        "not whole trees",
        "bits after the last node",
        "threshold tables",
        "not sorted",
        "not in its table",
        "class weights in a leaf" if make is small_classifier else "not finite",
    ):
        assert message in messages


def test_a_few_bytes_cannot_exhaust_memory() -> None:
    header, _ = unseal(small_regressor().to_bytes())
    bomb = seal(header, bytes(1 << 25))
    huge = bytearray(header)
    huge[12:20] = struct.pack("<II", 2, MAX_NODES)
    empty = seal(bytes(huge), b"")
    tracemalloc.start()
    try:
        assert "the length of the stream" in error_of(bomb)
        assert "the length of the stream" in error_of(empty)
        assert tracemalloc.get_traced_memory()[1] < 1 << 21
    finally:
        tracemalloc.stop()


def test_the_sizes_in_a_header_are_bounded() -> None:
    header, payload = unseal(small_regressor().to_bytes())
    for sizes in ((2, MAX_NODES + 2), (MAX_TREES + 2, MAX_NODES)):
        changed = bytearray(header)
        changed[12:20] = struct.pack("<II", *sizes)
        assert error_of(seal(bytes(changed), payload)).endswith(
            ("or nodes", f"{MAX_TREES:,} trees")
        )


def test_too_many_levels_are_refused() -> None:
    # A chain: each split has a leaf on its right.
    splits = routing.MAX_LEVELS + 1
    leaf = np.repeat([False, True], [splits, splits + 1])
    assert routing.structure(leaf[1:-1], 1)[2] == routing.MAX_LEVELS
    with pytest.raises(PackedForestError, match="levels"):
        routing.structure(leaf, 1)
