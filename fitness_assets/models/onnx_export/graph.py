"""An ONNX graph under construction, and arrays that record what numpy computes of them."""

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

# Operators of ONNX by ufunc of numpy.
_OPERATORS = {
    np.add: "Add",
    np.subtract: "Sub",
    np.multiply: "Mul",
    np.divide: "Div",
    np.maximum: "Max",
    np.minimum: "Min",
    np.exp: "Exp",
    np.log: "Log",
    np.rint: "Round",
    np.isnan: "IsNaN",
}
#: The operators of machine learning.
ML = "ai.onnx.ml"


class Graph:
    """Nodes, constants, inputs and outputs of an ONNX graph."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[tuple[str, tuple[int, ...], bytes], TensorProto] = {}
        self.inputs: list[ValueInfoProto] = []
        self.outputs: list[ValueInfoProto] = []

    def input(self, name: str, kind: int) -> "Value":
        """An input of shape (n, 1) and of a type of `TensorProto`."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, ["n", 1]))
        return Value(self, name)

    def output(self, name: str, value: "Value", kind: int, *shape: int) -> None:
        """Name `value` as an output of shape (n, *shape)."""
        self.nodes.append(helper.make_node("Identity", [value.name], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, kind, ["n", *shape]))

    def constant(self, array: Any) -> "Value":
        """A constant; floats are doubles, and texts are texts."""
        array = np.asarray(array)
        if array.dtype.kind in "fiu" and array.dtype != np.int64:
            array = array.astype(np.float64)
        key = (array.dtype.str, array.shape, repr(array.tolist()).encode())
        if key not in self.constants:
            name = f"constant_{len(self.constants)}"
            self.constants[key] = numpy_helper.from_array(array, name)
        return Value(self, self.constants[key].name)

    def apply(self, operator: str, *values: Any, domain: str = "", **attributes: Any) -> "Value":
        """The output of an operator, given values of this graph or constants."""
        names = [
            each.name if isinstance(each, Value) else self.constant(each).name for each in values
        ]
        output = f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], domain=domain, **attributes))
        return Value(self, output)


class Value(NDArrayOperatorsMixin):
    """A value of a graph. What numpy computes of it becomes nodes of the graph.

    Parameters
    ----------
    graph : Graph
    name : str
        Of the input or the output of a node.
    """

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name

    def __array_ufunc__(self, ufunc: Any, method: str, *values: Any, **keywords: Any) -> Any:
        if method != "__call__" or keywords or ufunc not in _OPERATORS:
            return NotImplemented
        return self.graph.apply(_OPERATORS[ufunc], *(_double(each) for each in values))

    def max(self, axis: int, *, keepdims: bool) -> "Value":
        """The largest value along an axis."""
        axes = np.array([axis], dtype=np.int64)
        return self.graph.apply("ReduceMax", self, axes, keepdims=int(keepdims))

    def sum(self, axis: int, *, keepdims: bool) -> "Value":
        """The sum along an axis."""
        axes = np.array([axis], dtype=np.int64)
        return self.graph.apply("ReduceSum", self, axes, keepdims=int(keepdims))

    def cast(self, kind: int) -> "Value":
        """The value as a type of `TensorProto`."""
        return self.graph.apply("Cast", self, to=kind)

    def columns(self, start: int, stop: int) -> "Value":
        """Columns of a value of shape (n, m)."""
        ends = (np.array([each], dtype=np.int64) for each in (start, stop, 1))
        return self.graph.apply("Slice", self, *ends)

    def where(self, condition: "Value", other: Any) -> "Value":
        """The value where `condition` is true, else `other`."""
        return self.graph.apply("Where", condition, self, other)


def _double(value: Any) -> Any:
    return value if isinstance(value, Value) else np.asarray(value, dtype=np.float64)
