"""Files of models that a reader must refuse, made without the library that writes them."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.svm import SVR

from fitness_assets.storage.models import dump

Node = dict[str, Any]


def node(loader: str, name: str, **fields: object) -> Node:
    """A node of a skops file."""
    module, _, kind = name.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader, **fields}


def text(content: str) -> Node:
    return node("JsonNode", "builtins.str", content=content, is_json=True)


def items(content: list[Node], **fields: object) -> Node:
    return node("ListNode", "builtins.list", content=content, **fields)


def pipeline(state: dict[str, Node]) -> Node:
    """A pipeline with these attributes."""
    keys = items([node("TypeNode", "builtins.str")] * len(state))
    attributes = node("DictNode", "builtins.dict", content=state, key_types=keys)
    return node("ObjectNode", "sklearn.pipeline.Pipeline", content=attributes)


def skops_file(schema: Any, members: dict[str, bytes] | None = None, protocol: int = 2) -> bytes:
    """A skops file with this description and these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (members or {}).items():
            archive.writestr(name, data)
        archive.writestr("schema.json", json.dumps({**schema, "protocol": protocol}))
    return buffer.getvalue()


def with_protocol(content: bytes, protocol: int) -> bytes:
    """The skops file `content`, which claims another protocol version."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop("schema.json"))
    return skops_file(schema, members, protocol)


def svr() -> bytes:
    """An estimator that skops trusts, and that reads memory at any index of its file."""
    return dump(Pipeline([("svr", SVR())]).fit([[0.0], [1.0]], [0.0, 1.0]))


def shared_lists() -> bytes:
    """Lists of two references to the list before: skops visits 2**60 nodes."""
    lists = [items([text("0")], __id__=1)]
    for level in range(1, 60):
        reference = items([], __id__=level)
        lists.append(items([reference, reference], __id__=level + 1))
    return skops_file(pipeline({"steps": items(lists)}))


def many_reads() -> bytes:
    """One array that 3,000 nodes read, each anew."""
    stream = io.BytesIO()
    np.save(stream, np.zeros(400_000))
    array = node("NdArrayNode", "numpy.ndarray", type="numpy", file="1.npy")
    return skops_file(pipeline({"steps": items([array] * 3_000)}), {"1.npy": stream.getvalue()})


def array_header(shape: object, descr: str = "<f8", data: bytes = b"") -> bytes:
    """An array whose header claims `shape`."""
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data
    array = node("NdArrayNode", "numpy.ndarray", type="numpy", file="1.npy")
    return skops_file(pipeline({"steps": array}), {"1.npy": content})


def many_values() -> bytes:
    return skops_file(pipeline({"steps": items([text("0")] * 9_000)}))


def deep() -> bytes:
    inner = text("0")
    for _ in range(200):
        inner = items([inner])
    return skops_file(pipeline({"steps": inner}))


def large_schema() -> bytes:
    return skops_file(pipeline({"steps": text('"' + "a" * 5_000_000 + '"')}))


def many_members() -> bytes:
    return skops_file(pipeline({}), {f"{number}.npy": b"" for number in range(2_000)})


def type_of_a_function(loader: str, name: str) -> Callable[[], bytes]:
    """A pipeline with one node of this kind."""
    fields = {"content": {"obj": text("0"), "func": "x"}, "attrs": text("0")}
    return lambda: skops_file(pipeline({"steps": node(loader, name, **fields)}))


#: What makes each hostile file, and a part of the reason that it is refused for.
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "an estimator that skops trusts": (svr, r"sklearn\.svm\._classes\.SVR \(ObjectNode\)"),
    "a function": (type_of_a_function("FunctionNode", "numpy.add"), r"numpy\.add"),
    "a method": (type_of_a_function("MethodNode", "builtins.str"), r"str \(MethodNode\)"),
    "an operator": (
        type_of_a_function("OperatorFuncNode", "operator.attrgetter"),
        r"operator\.attrgetter",
    ),
    "a type": (type_of_a_function("TypeNode", "subprocess.Popen"), r"subprocess\.Popen"),
    "a value as an object": (
        type_of_a_function("ObjectNode", "numpy.ndarray"),
        r"numpy\.ndarray \(ObjectNode\)",
    ),
    "a reference": (type_of_a_function("CachedNode", "builtins.list"), r"list \(CachedNode\)"),
    "many reads of an array": (many_reads, "its arrays have 9,6"),
    "an array of 8 TB": (lambda: array_header((10**12,)), "does not have the bytes"),
    "an array without bytes": (lambda: array_header((10**12,), "<U0"), "holds <U0"),
    "an array of objects": (lambda: array_header((1,), "|O", bytes(8)), "holds object"),
    "an array of many dimensions": (
        lambda: array_header((1,) * 30, data=bytes(8)),
        "does not have the bytes",
    ),
    "many values": (many_values, "more than 20,000 values"),
    "deep lists": (deep, "nested more than 64 levels"),
    "a large description": (large_schema, "schema.json has 5,000"),
    "many members": (many_members, "more than 1,000 files"),
}
