"""The byte format of a packed forest: `encode` writes it, `decode` reads and checks it.

Notes
-----
Version 1. Everything is little-endian. A header of 44 bytes:

====== ==== =======================================================================
offset size
====== ==== =======================================================================
0      4    ``PFOR``
4      4    CRC-32 of everything after it
8      1    version: 1
9      1    kind: 0 regressor, 1 classifier
10     2    number of features
12     4    number of trees
16     4    number of nodes
20     4    number of thresholds in all tables
24     4    number of rows of class weights; 0 for a regressor
28     4    number of classes; 0 for a regressor
32     4    bytes of JSON
36     8    float64: largest rounding error of a leaf value; 0 for a classifier
====== ==== =======================================================================

and one raw LZMA1 stream (`FILTERS`) with its end marker. The stream holds, in this order, with the
trees one after the other and the nodes of each tree in preorder (a node, then its left subtree,
then its right subtree):

- JSON with ``names``, the feature names or null, and for a classifier ``classes`` and ``dtype``.
- One bit per node, most significant first: whether it is a leaf.
- One bit per split: whether a missing value goes to the left.
- The feature of each split.
- For each feature, the number of its distinct thresholds.
- The thresholds, feature by feature, ascending: the first, then the differences between
  neighbours, as numbers of float32 values (see `coding.deltas`).
- For each feature in turn, the ranks of the thresholds of its splits in its table.
- For a regressor, the leaf values: the first, then the differences, as numbers of float32 values,
  with the sign in the lowest bit (see `coding.zigzag`).
- For a classifier, one number per leaf: 0 if its row of weights is new, else how many distinct
  rows ago it first occurred; then the distinct rows in order of first occurrence, as float32. A
  row holds the weight of each class in the leaf, which is a whole number unless samples were
  weighted. The leaf's probabilities are the weights divided by their sum.

Thresholds and rows are written number by number. Features, ranks, values and row numbers are
written in byte planes: the lowest bytes of all numbers first.
"""

import json
import lzma
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitness_assets.errors import PackedForestError
from fitness_assets.models.forests.packed import coding

_MAGIC = b"PFOR"
_VERSION = 1
_REGRESSOR, _CLASSIFIER = 0, 1
HEADER = struct.Struct("<4sI BBH IIIIII d")
# The checksum covers everything from this offset on.
_CHECKED_FROM = 8
FILTERS = [
    {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 20}
    | {"lc": 0, "lp": 0, "pb": 0}
]

# Limits on what is written and read, so that a few hostile bytes cannot exhaust memory or time. The
# largest forest of 1,959 users has 30 trees, 24,000 nodes and 8,000 weights. A forest at these
# limits takes 6 MB, and 60 MB while it is decoded.
MAX_TREES = 1_000
MAX_NODES = 1 << 19
MAX_WEIGHTS = 1 << 18
MAX_FEATURES = (1 << 12) - 1
_MAX_JSON = 1 << 17

# In memory: the branch, the feature and the direction of missing values of a node; a weight.
_NODE_BYTES, _WEIGHT_BYTES = 11, 4

# dtype of class labels, and the Python type of such a label in JSON.
_LABEL_TYPES: dict[str, type] = {
    "bool": bool,
    "object": str,
    "str": str,
    **{f"{sign}int{bits}": int for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float64": float,
}


@dataclass(frozen=True, eq=False)
class ForestContent:
    """The content of a forest of T trees, N nodes, S splits and L leaves.

    Attributes
    ----------
    n_features, n_trees : int
    names : list of str or None
        Names of the features.
    leaf : ndarray of bool, shape (N,)
        Whether each node is a leaf. Nodes are in preorder, tree after tree, here and below.
    missing_left : ndarray of bool, shape (S,)
        Whether a missing value goes to the left.
    feature : ndarray of uint16, shape (S,)
    threshold : ndarray of float32, shape (S,)
    value : ndarray of float32, shape (L,)
        For a classifier, row numbers of `weights`, in order of first occurrence.
    value_error : float
        Largest difference between a value and that of scikit-learn's leaf.
    classes : ndarray, shape (K,), or None
    weights : ndarray of float32, shape (R, K), or None
    """

    n_features: int
    n_trees: int
    names: list[str] | None
    leaf: NDArray[np.bool_]
    missing_left: NDArray[np.bool_]
    feature: NDArray[np.uint16]
    threshold: NDArray[np.float32]
    value: NDArray[np.float32]
    value_error: float = 0.0
    classes: NDArray[Any] | None = None
    weights: NDArray[np.float32] | None = None


def weight_totals(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sum of each row of class weights."""
    totals: NDArray[np.float64] = weights.sum(axis=1, dtype=np.float64)
    return totals


def can_encode_labels(labels: NDArray[Any]) -> bool:
    """Whether the format has a type for class `labels`."""
    kind = _LABEL_TYPES.get(_label_dtype(labels))
    return kind is not None and _is_list_of(kind, labels.tolist())


def encode(content: ForestContent) -> bytes:
    """`content` in the format of this module. Equal contents give equal bytes.

    Raises
    ------
    ValueError
        If the names of features and classes are longer than the format allows.
    """
    table, lengths, ranks = _threshold_tables(content)
    about: dict[str, Any] = {"names": content.names}
    if content.classes is None or content.weights is None:
        kind, rows, classes = _REGRESSOR, 0, 0
        leaves = [coding.byte_planes(coding.zigzag(coding.deltas(content.value)), 4)]
    else:
        kind, (rows, classes) = _CLASSIFIER, content.weights.shape
        about |= {"classes": content.classes.tolist(), "dtype": _label_dtype(content.classes)}
        weights = content.weights.astype("<f4").tobytes()
        leaves = [coding.byte_planes(coding.ages(content.value), 4), weights]
    text = json.dumps(about, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    if len(text) > _MAX_JSON:
        raise ValueError(f"names of {len(text):,} bytes are too long to be packed")
    parts = [
        text,
        np.packbits(content.leaf).tobytes(),
        np.packbits(content.missing_left).tobytes(),
        coding.byte_planes(content.feature, 2),
        lengths.astype("<u4").tobytes(),
        coding.deltas(table).astype("<u4").tobytes(),
        coding.byte_planes(ranks[np.argsort(content.feature, kind="stable")], 4),
        *leaves,
    ]
    counts = (content.n_trees, len(content.leaf), len(table), rows, classes, len(text))
    header = HEADER.pack(
        _MAGIC, 0, _VERSION, kind, content.n_features, *counts, content.value_error
    )
    stream = lzma.compress(b"".join(parts), format=lzma.FORMAT_RAW, filters=FILTERS)
    checked = header[_CHECKED_FROM:] + stream
    return _MAGIC + struct.pack("<I", zlib.crc32(checked)) + checked


def memory_bytes(content: bytes) -> int:
    """Bytes of the arrays of the forest in `content`, according to its header; 0 if it has none."""
    if len(content) < HEADER.size:
        return 0
    *_, n_nodes, _, n_rows, n_classes, _, _ = HEADER.unpack_from(content)
    return int(_NODE_BYTES * n_nodes + _WEIGHT_BYTES * n_rows * n_classes)


def decode(content: bytes) -> ForestContent:
    """The forest in `content`, which may come from an untrusted source.

    Only the tree structure is not checked here; `routing.FlatTrees.of` does that.

    Raises
    ------
    PackedForestError
        If `content` is anything but the result of `encode`.
    """
    _require(len(content) >= HEADER.size, "too few bytes")
    magic, crc, version, kind, n_features, *counts, value_error = HEADER.unpack_from(content)
    _require(magic == _MAGIC, "the first bytes are wrong")
    _require(version == _VERSION, f"version {version} is unknown")
    _require(zlib.crc32(content[_CHECKED_FROM:]) == crc, "the checksum is wrong")
    n_trees, n_nodes, n_thresholds, n_rows, n_classes, n_text = counts
    _require(kind in (_REGRESSOR, _CLASSIFIER), f"kind {kind} is unknown")
    _require(1 <= n_trees <= n_nodes <= MAX_NODES, "impossible number of trees or nodes")
    _require(n_trees <= MAX_TREES, f"more than {MAX_TREES:,} trees")
    _require(n_features > 0, "no features")
    _require(n_features <= MAX_FEATURES, f"more than {MAX_FEATURES:,} features")
    n_splits, odd = divmod(n_nodes - n_trees, 2)
    n_leaves = n_nodes - n_splits
    classifier = kind == _CLASSIFIER
    _require(not odd, "impossible number of nodes")
    _require(n_thresholds <= n_splits, "more thresholds than splits")
    _require(n_text <= _MAX_JSON, "too much JSON")
    _require(
        (1 <= n_rows <= n_leaves and n_classes >= 1 and n_rows * n_classes <= MAX_WEIGHTS)
        if classifier
        else n_rows == n_classes == 0,
        "impossible number of class weights",
    )
    _require(np.isfinite(value_error) and value_error >= 0, "impossible rounding error")

    bits = [(n_nodes + 7) // 8, (n_splits + 7) // 8]
    numbers = [4 * n_features, 4 * n_thresholds, 4 * n_splits, 4 * n_leaves, 4 * n_rows * n_classes]
    sizes = [n_text, *bits, 2 * n_splits, *numbers]
    payload = _decompress(content[HEADER.size :], sum(sizes))
    ends = np.cumsum(sizes).tolist()
    parts = [payload[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    text, leaf_bits, missing_bits, features, lengths, table, ranks, leaves, rows = parts

    names, classes = _read_text(text, n_features, n_classes if classifier else None)
    feature = coding.from_byte_planes(features, 2).astype(np.uint16)
    _require(not np.any(feature >= n_features), "a split uses a feature that does not exist")
    value, weights = _read_leaves(leaves, rows, n_rows, n_classes)
    return ForestContent(
        n_features=n_features,
        n_trees=n_trees,
        names=names,
        leaf=_read_bits(leaf_bits, n_nodes),
        missing_left=_read_bits(missing_bits, n_splits),
        feature=feature,
        threshold=_read_thresholds(feature, lengths, table, ranks),
        value=value,
        value_error=value_error,
        classes=classes,
        weights=weights,
    )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise PackedForestError(f"not a packed forest: {message}")


def _decompress(stream: bytes, size: int) -> bytes:
    """The `size` bytes that `stream` must decompress to; at most one byte more is produced."""
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=FILTERS)
    try:
        payload = decompressor.decompress(stream, max_length=size + 1)
    except lzma.LZMAError as error:
        raise PackedForestError(f"not a packed forest: {error}") from error
    complete = decompressor.eof and len(payload) == size and not decompressor.unused_data
    _require(complete, "the length of the stream differs from the header")
    return payload


def _read_text(
    text: bytes, n_features: int, n_classes: int | None
) -> tuple[list[str] | None, NDArray[Any] | None]:
    """Names of the features, or None, and class labels, or None for a regressor."""
    try:
        about = json.loads(text)
        names = about["names"]
        labels, dtype = (None, "") if n_classes is None else (about["classes"], about["dtype"])
        names_fit = names is None or (_is_list_of(str, names) and len(names) == n_features)
        labels_fit = labels is None or (
            _is_list_of(_LABEL_TYPES[dtype], labels) and len(labels) == n_classes
        )
        _require(names_fit and labels_fit, "the number or type of names or classes is wrong")
        return names, None if labels is None else np.array(labels, dtype=dtype)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise PackedForestError("not a packed forest: names or classes are unreadable") from error


def _is_list_of(kind: type, labels: Any) -> bool:
    return type(labels) is list and all(type(label) is kind for label in labels)


def _label_dtype(labels: NDArray[Any]) -> str:
    return "str" if labels.dtype.kind == "U" else labels.dtype.name


def _threshold_tables(
    content: ForestContent,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Distinct thresholds by feature, their number per feature, and each split's rank."""
    order = np.lexsort((content.threshold, content.feature))
    feature, threshold = content.feature[order], content.threshold[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (feature[1:] != feature[:-1]) | (threshold[1:] != threshold[:-1])
    lengths = np.bincount(feature[new], minlength=content.n_features)
    entry = np.empty(len(order), np.int64)
    entry[order] = np.cumsum(new) - 1
    return threshold[new], lengths, entry - _starts(lengths)[content.feature]


def _read_thresholds(
    feature: NDArray[np.uint16], lengths: bytes, table: bytes, ranks: bytes
) -> NDArray[np.float32]:
    """The threshold of each split, from the tables of distinct thresholds."""
    length = np.frombuffer(lengths, "<u4").astype(np.int64)
    values = coding.from_deltas(np.frombuffer(table, "<u4"))
    _require(length.sum() == len(values), "the threshold tables have the wrong length")
    starts = _starts(length)
    owner = np.repeat(np.arange(len(length)), length)
    ascending = (values[1:] > values[:-1]) | (owner[1:] != owner[:-1])
    _require(
        not np.isnan(values).any() and bool(ascending.all()), "a threshold table is not sorted"
    )
    rank = np.empty(len(feature), np.int64)
    rank[np.argsort(feature, kind="stable")] = coding.from_byte_planes(ranks, 4)
    _require(bool(np.all(rank < length[feature])), "a threshold is not in its table")
    threshold: NDArray[np.float32] = values[starts[feature] + rank]
    return threshold


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.cumsum(lengths) - lengths


def _read_leaves(
    leaves: bytes, rows: bytes, n_rows: int, n_classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Leaf values and None, or for a classifier the leaves' row numbers and the rows."""
    numbers = coding.from_byte_planes(leaves, 4)
    if not n_classes:
        value = coding.from_deltas(coding.from_zigzag(numbers))
        _require(bool(np.isfinite(value).all()), "a leaf value is not finite")
        return value, None
    ages = numbers.astype(np.int64)
    seen = np.cumsum(ages == 0)
    _require(
        bool(np.all(ages <= seen)) and seen[-1] == n_rows,
        "a leaf uses class weights that do not exist",
    )
    weights = np.frombuffer(rows, "<f4").astype(np.float32).reshape(n_rows, n_classes)
    valid = (
        np.isfinite(weights).all() and np.all(weights >= 0) and np.all(weight_totals(weights) > 0)
    )
    _require(bool(valid), "impossible class weights in a leaf")
    return np.where(ages == 0, seen - 1, seen - ages).astype(np.float32), weights


def _read_bits(bits: bytes, count: int) -> NDArray[np.bool_]:
    unpacked = np.unpackbits(np.frombuffer(bits, np.uint8), count=count)
    _require(np.packbits(unpacked).tobytes() == bits, "there are bits after the last node")
    return unpacked.astype(np.bool_)
