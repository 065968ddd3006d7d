"""Models on disk: skops files against an allow-list that lives here, and what was measured of them.

No pickle: nothing that is loaded can execute, whatever it claims to be.
"""

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets.errors import StorageError
from fitness_assets.storage.publication import Manifest, Writer, read_bytes, read_manifest

# skops and scikit-learn take seconds to import, and most processes neither write nor load a model.
if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: Types, beyond those that skops itself trusts, that a model of ours is made of. No tree of
#: scikit-learn's among them, which follows its nodes wherever they lead: forests come packed, and
#: check their own bytes.
TRUSTED = [
    "fitness_assets.models.forests.residual_regressor.ResidualRegressor",
    "fitness_assets.models.forests.packed.estimator.PackedClassifier",
    "fitness_assets.models.forests.packed.estimator.PackedRegressor",
    "numpy.dtype",
]

# All that a model of ours consists of: types by skops' name of how they are read.
_PARTS = {
    "ObjectNode": {
        "fitness_assets.models.forests.residual_regressor.ResidualRegressor",
        "fitness_assets.models.forests.packed.estimator.PackedClassifier",
        "fitness_assets.models.forests.packed.estimator.PackedRegressor",
        "sklearn.cluster._kmeans.KMeans",
        "sklearn.compose._column_transformer.ColumnTransformer",
        "sklearn.impute._base.SimpleImputer",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.PowerTransformer",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.preprocessing._encoders.OneHotEncoder",
    },
    "BytesNode": {"builtins.bytes"},
    "DTypeNode": {"numpy.dtype"},
    "DictNode": {"builtins.dict"},
    "JsonNode": {"builtins.str"},
    "ListNode": {"builtins.list"},
    "NdArrayNode": {"numpy.float64", "numpy.int64", "numpy.ndarray"},
    "SliceNode": {"builtins.slice"},
    "TupleNode": {"builtins.tuple"},
    "TypeNode": {"builtins.str", "numpy.float64"},
}
# Of skops' format. Before it some parts were pickles.
_PROTOCOL = 2

MODEL = "model.skops"
METRICS = "metrics.json"
# Many times the largest model of ours; a file that unpacks to more is not one.
_MOST_UNPACKED = 200_000_000
# A fixed stamp, the earliest that a zip can carry: equal models are to give equal bytes.
_STAMP = (1980, 1, 1, 0, 0, 0)


def dump(model: "Pipeline") -> bytes:
    """`model` as a compressed skops file. Equal models give equal bytes."""
    import skops.io

    plain = skops.io.dumps(model)
    names: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        return match[1] + names.setdefault(match[2], str(len(names))) + match[3]

    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as source, zipfile.ZipFile(packed, "w") as target:
        # skops names objects by their address in memory. Number them as they first appear.
        schema = source.read("schema.json").decode()
        schema = re.sub(r'("__id__": )(\d+)()', renamed, schema)
        schema = re.sub(r'("file": ")([^".]+)(\.\w+")', renamed, schema)
        members = {name: source.read(name) for name in source.namelist() if name != "schema.json"}
        content = {"schema.json": schema.encode()}
        for name, data in members.items():
            stem, dot, suffix = name.partition(".")
            content[names[stem] + dot + suffix] = data
        for name in sorted(content):
            target.writestr(
                zipfile.ZipInfo(name, _STAMP),
                content[name],
                compress_type=zipfile.ZIP_DEFLATED,
                compresslevel=9,
            )
    return packed.getvalue()


def load(content: bytes, name: str) -> "Pipeline":
    """The model in `content`.

    Raises
    ------
    StorageError
        If `content` is not a skops file, unpacks to far too much, or holds a type that is not on
        the allow-list. Then nothing of it was built.
    """
    import skops.io
    from sklearn.pipeline import Pipeline

    try:
        _refuse_bomb(content)
        model = skops.io.loads(content, trusted=TRUSTED)
    except Exception as error:  # whatever a hostile file makes the reader raise, it is refused
        reason = " ".join(str(error).split())
        raise StorageError(f"{name} is not a model that may be loaded: {reason}") from error
    if not isinstance(model, Pipeline):
        raise StorageError(f"{name} holds {type(model).__name__}, not a Pipeline")
    return model


def verify(content: bytes, name: str) -> None:
    """Refuse what may not be loaded, without importing skops for a model of ours.

    skops imports all of scikit-learn, which takes as long as all else until a dashboard's first
    page. What consists of nothing but the parts of our models, by its description, and of readable
    arrays needs none of it; what does not is left to `load` to judge. A packed forest is not
    decoded here: it checks its own bytes when it is loaded.

    Raises
    ------
    StorageError
        As `load`.
    """
    if not _is_of_our_parts(content):
        load(content, name)


def _is_of_our_parts(content: bytes) -> bool:
    try:
        _refuse_bomb(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            described = json.loads(archive.read("schema.json"))
            for member in archive.namelist():
                if member.endswith(".npy"):
                    np.load(io.BytesIO(archive.read(member)), allow_pickle=False)
        if described["protocol"] != _PROTOCOL or described["__class__"] != "Pipeline":
            return False
        nodes = [described]
        while nodes:
            node = nodes.pop()
            if isinstance(node, dict):
                if "__loader__" in node:
                    kind = f"{node['__module__']}.{node['__class__']}"
                    if kind not in _PARTS[node["__loader__"]]:
                        return False
                nodes.extend(node.values())
            elif isinstance(node, list):
                nodes.extend(node)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, `load` says so
        return False
    return True


def _refuse_bomb(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > _MOST_UNPACKED:
        raise ValueError(f"it would unpack to {unpacked:,} bytes")


def array_bytes(model: Any) -> int:
    """Bytes of the arrays that `model` and its parts hold in memory."""
    from sklearn.base import BaseEstimator

    if isinstance(model, np.ndarray):
        # An array of objects holds references, and its strings are few.
        return model.nbytes
    if isinstance(model, dict):
        return sum(map(array_bytes, model.values()))
    if isinstance(model, list | tuple):
        return sum(map(array_bytes, model))
    if isinstance(model, BaseEstimator):
        return array_bytes(vars(model))
    return 0


class ModelStore:
    """One kind of model, a folder a month: the model, its metrics, and tables that go with it.

    Parameters
    ----------
    root : Path
        The folder of this kind of model.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, month: str) -> Path:
        """Where `month` lies."""
        return self.root / month

    def manifest(self, month: str) -> Manifest | None:
        """What is published for `month`, or None."""
        return read_manifest(self.folder(month))

    def save(
        self,
        month: str,
        model: bytes | None,
        metrics: Mapping[str, Any],
        tables: Mapping[str, pd.DataFrame] | None = None,
    ) -> Manifest:
        """Publish `month`: the model, as `dump` gives it, if there is one; its metrics; its tables.

        The manifest's info is `metrics` without its nested parts.
        """
        with Writer(self.folder(month)) as writer:
            if model is not None:
                (writer.staging / MODEL).write_bytes(model)
            write_json(writer.staging / METRICS, metrics)
            for name, table in (tables or {}).items():
                write_table(writer.staging / f"{name}.parquet", table)
            headline = {k: v for k, v in metrics.items() if not isinstance(v, dict | list)}
            return writer.publish(headline)

    def published(self, month: str) -> Manifest:
        """What is published for `month`; StorageError if nothing is."""
        manifest = self.manifest(month)
        if manifest is None:
            raise StorageError(f"{self.root.name} has no {month}; materialize it first")
        return manifest

    def read(self, month: str, name: str) -> bytes | None:
        """Content of the file called `name` of `month`, verified; None where there is no such."""
        for file in self.published(month).files:
            if file.name == name:
                return read_bytes(self.folder(month), file)
        return None

    def table(self, month: str, name: str) -> pd.DataFrame | None:
        """The table called `name` of `month`, verified; None where there is none."""
        content = self.read(month, f"{name}.parquet")
        return None if content is None else pq.read_table(io.BytesIO(content)).to_pandas()

    def metrics(self, month: str) -> dict[str, Any]:
        """The metrics of `month`."""
        file = self.published(month).file(METRICS)
        document: dict[str, Any] = json.loads(read_bytes(self.folder(month), file))
        return document


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write `document` so that equal documents give equal bytes."""
    path.write_text(json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write `table` as Parquet, without what pandas alone would understand."""
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(arrow, path, compression="zstd")
