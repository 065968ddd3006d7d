"""Check a skops file before anything in it is constructed.

skops trusts every estimator of scikit-learn, whatever `trusted` lists. Some of them follow indices
from the file without a bounds check, so a hostile file could crash the process. A model file is
therefore parsed here, within limits, and may only contain the types that our own models consist of.
skops then reads a new zip that contains what was checked and nothing else.

Importing this module imports neither skops nor scikit-learn.
"""

import io
import json
import re
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from fitness_assets.storage.documents import check_json

#: Estimators and transformers that a model may consist of, by qualified name. A new part of our
#: models is added here. The trees of scikit-learn must not be: they do not check that their nodes
#: exist. Forests are packed instead, and a packed forest checks its bytes.
PARTS = (
    "fitness_assets.models.forests.packed.estimator.PackedClassifier",
    "fitness_assets.models.forests.packed.estimator.PackedRegressor",
    "fitness_assets.models.forests.calibrated_classifier.CalibratedClassifier",
    "fitness_assets.models.forests.derived_inputs.DerivedInputs",
    "fitness_assets.models.forests.residual_regressor.LinearForest",
    "fitness_assets.models.forests.residual_regressor.ResidualRegressor",
    "sklearn.cluster._kmeans.KMeans",
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.linear_model._ridge.Ridge",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.PowerTransformer",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._encoders.OneHotEncoder",
)
# The values that the parts hold, as skops node and qualified name. A `TypeNode` is the type
# itself, for example of the keys of a dict.
_VALUES = (
    ("BytesNode", "builtins.bytes"),
    ("DTypeNode", "numpy.dtype"),
    ("DictNode", "builtins.dict"),
    ("JsonNode", "builtins.str"),
    ("ListNode", "builtins.list"),
    ("NdArrayNode", "numpy.float64"),
    ("NdArrayNode", "numpy.int64"),
    ("NdArrayNode", "numpy.ndarray"),
    ("SliceNode", "builtins.slice"),
    ("TupleNode", "builtins.tuple"),
    ("TypeNode", "builtins.str"),
    ("TypeNode", "numpy.float64"),
)
_ALLOWED = frozenset({*_VALUES, *(("ObjectNode", name) for name in PARTS)})
#: What skops has to trust in addition to its own list. The files that it reads were checked here.
TRUSTED = [*PARTS, "numpy.dtype"]

# Version of skops' format. Nodes of other versions are read by other code of skops.
_PROTOCOL = 2
_SCHEMA = "schema.json"
_MEMBER = re.compile(r"[0-9]{1,6}\.(npy|bin)", re.ASCII)
# Keys of a node that are not read by what constructs it.
_ID, _LOADER = "__id__", "__loader__"

#: Limit on the size of a model file, and on the bytes of its arrays and forests. The largest model
#: of 1,959 users has 58 kB, and 54 kB of forests.
MAX_BYTES = 4_000_000
# Our largest description has 160 kB and 2,400 values, nested 31 deep. It has fewer than 100 arrays.
_MAX_SCHEMA_BYTES = 1_000_000
_MAX_VALUES = 20_000
_MAX_DEPTH = 64
_MAX_MEMBERS = 1_000
# Undeclared types that a message names.
_NAMED = 5
# Arrays have one or two dimensions. Kinds of dtype: boolean, integers, floats and text.
_MAX_DIMENSIONS = 2
_KINDS = "biufU"
# A file of the zip's list of contents begins with this.
_DIRECTORY_ENTRY = b"PK\x01\x02"


class UndeclaredTypeError(ValueError):
    """A model holds a type that is not declared in this module."""


@dataclass(frozen=True)
class CheckedModel:
    """The content of a model file.

    Attributes
    ----------
    schema : dict
        The description of the objects, without object ids: nodes that were shared are copies.
    members : dict
        The arrays and the packed forests, by file name.
    """

    schema: dict[str, Any]
    members: dict[str, bytes]

    def to_skops(self) -> bytes:
        """A skops file with this content and nothing else."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as target:
            for name, data in self.members.items():
                target.writestr(name, data)
            target.writestr(_SCHEMA, json.dumps(self.schema))
        return packed.getvalue()

    @property
    def forests(self) -> list[bytes]:
        """The packed forests, not decoded."""
        return [data for name, data in self.members.items() if name.endswith(".bin")]


def check(content: bytes) -> CheckedModel:
    """Parse a skops file within limits.

    Parameters
    ----------
    content : bytes
        May come from an untrusted source.

    Raises
    ------
    Exception
        If `content` is not a skops file, exceeds a limit, or holds a type that is not declared in
        this module. Damaged bytes can raise almost anything.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has {len(content):,} bytes, more than {MAX_BYTES:,}")
    if content.count(_DIRECTORY_ENTRY) > _MAX_MEMBERS:
        raise ValueError(f"it has more than {_MAX_MEMBERS:,} files")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = _read_schema(archive)
        nodes = _nodes(schema)
        _check_nodes(schema, nodes)
        files = [node["file"] for node in nodes if "file" in node]
        names = dict.fromkeys(files)
        for name in names:
            if not isinstance(name, str) or not _MEMBER.fullmatch(name):
                raise ValueError(f"it has a file named {name!r}")
        # skops reads a file for each node that refers to it.
        size = sum(archive.getinfo(name).file_size for name in files)
        if size > MAX_BYTES:
            raise ValueError(f"its arrays have {size:,} bytes, more than {MAX_BYTES:,}")
        members = {name: _read(archive, name) for name in names}
    for name, data in members.items():
        if name.endswith(".npy"):
            _check_array(name, data)
    return CheckedModel(schema, members)


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """The file `name`, of at most the bytes that its entry states."""
    entry = archive.getinfo(name)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed by another method than deflate")
    return archive.read(entry)


def _read_schema(archive: zipfile.ZipFile) -> dict[str, Any]:
    """The description of the objects."""
    size = archive.getinfo(_SCHEMA).file_size
    if size > _MAX_SCHEMA_BYTES:
        raise ValueError(f"{_SCHEMA} has {size:,} bytes, more than {_MAX_SCHEMA_BYTES:,}")
    text = _read(archive, _SCHEMA)
    check_json(text, max_bytes=_MAX_SCHEMA_BYTES, max_values=_MAX_VALUES, max_depth=_MAX_DEPTH)
    schema = json.loads(text)
    if not isinstance(schema, dict) or _LOADER not in schema:
        raise ValueError(f"{_SCHEMA} does not describe an object")
    return schema


def _check_nodes(schema: dict[str, Any], nodes: list[dict[str, Any]]) -> None:
    """Check the types of all nodes, and remove their ids."""
    protocol = schema.get("protocol")
    if type(protocol) is not int or protocol != _PROTOCOL:
        raise ValueError(f"it has version {protocol!r} of skops' format, not {_PROTOCOL}")
    found = {(node[_LOADER], f"{node['__module__']}.{node['__class__']}") for node in nodes}
    if undeclared := found - _ALLOWED:
        names = sorted(f"{name} ({loader})" for loader, name in undeclared)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise UndeclaredTypeError(
            f"it holds {', '.join(names[:_NAMED])}{more}, which PARTS in "
            "fitness_assets/storage/model_file.py does not declare"
        )
    for node in nodes:
        # skops constructs nodes with the same id once. Without ids, the number of nodes bounds
        # the work: nested lists that share their items would otherwise take exponential time.
        node.pop(_ID, None)


def _nodes(value: Any) -> list[dict[str, Any]]:
    """The nodes of skops in `value`."""
    nodes, pending = [], [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if _LOADER in value:
                nodes.append(value)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return nodes


def _check_array(name: str, data: bytes) -> None:
    """Check that the header of a ``.npy`` file describes exactly its bytes."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"{name} has version {version} of numpy's format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    size = dtype.itemsize
    for length in shape:
        size *= length
    if dtype.kind not in _KINDS or not dtype.itemsize:
        raise ValueError(f"{name} holds {dtype}")
    if len(shape) > _MAX_DIMENSIONS or size != len(data) - stream.tell():
        raise ValueError(f"{name} of shape {shape} does not have the bytes that its header states")
