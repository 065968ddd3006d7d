"""The pipeline of a forest model as an ONNX model.

Inputs are the features of the pipeline, each of shape (n, 1): numbers as float64, categories as
texts. A missing number is NaN, a missing text is empty. Everything but the forests is computed in
double precision, as in the pipeline, and returned as float32. Inputs in float32 would be other
numbers than those of the pipeline: 15 of 5,490 days then reached another leaf, and differed by up
to 7 kcal.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from onnx import ModelProto, TensorProto, checker, helper
from sklearn.pipeline import Pipeline

from fitness_assets.errors import FitnessError
from fitness_assets.models.evaluation import COVERAGE
from fitness_assets.models.forest_metrics import ClassifierMetrics, Interval, RegressorMetrics
from fitness_assets.models.forests import calories, pipelines
from fitness_assets.models.forests.calibrated_classifier import CalibratedClassifier
from fitness_assets.models.forests.derived_inputs import BASAL_CONSTANTS, DERIVED, KCAL_STEP, NO_SEX
from fitness_assets.models.forests.packed.estimator import PackedForest
from fitness_assets.models.forests.packed.format import ForestContent, decode, weight_totals
from fitness_assets.models.forests.packed.routing import structure
from fitness_assets.models.forests.residual_regressor import LinearForest, ResidualRegressor
from fitness_assets.models.onnx_export.graph import ML, Graph, Value
from fitness_assets.models.prediction import STEPS_ABOVE_USUAL
from fitness_assets.record.daily import BASELINES
from fitness_assets.record.raw import NUMBERS

# Versions of ONNX's operators that are used; both are of 2022.
_OPSET, _ML_OPSET, _IR = 18, 3, 8
_REGRESSORS = (LinearForest, ResidualRegressor)
# Texts that stand for a missing category, as other libraries write it.
_MISSING = ("", "nan", "None")


def to_onnx(
    model: Pipeline,
    metrics: ClassifierMetrics | RegressorMetrics,
    name: str,
    properties: Mapping[str, str],
) -> ModelProto:
    """The ONNX model of a trained pipeline.

    A regressor has the outputs ``calories_burned``, ``low`` and ``high`` of shape (n, 1), in kcal;
    a classifier ``activity_type`` of shape (n,) and ``probabilities`` of shape (n, classes).

    Parameters
    ----------
    model : Pipeline
        Its last step is a `CalibratedClassifier`, a `LinearForest` or a `ResidualRegressor`.
    metrics : ClassifierMetrics or RegressorMetrics
        Of the model.
    name : str
        Of the graph.
    properties : mapping
        Metadata, in addition to that of `properties_of`.

    Raises
    ------
    FitnessError
        If the last step of the pipeline is of another class.
    """
    graph = Graph()
    inputs = {
        feature: graph.input(
            feature,
            TensorProto.STRING if feature in pipelines.CATEGORIES else TensorProto.DOUBLE,
        )
        for feature in model.feature_names_in_
    }
    features = _encoded(graph, model, inputs)
    estimator = model[-1]
    if isinstance(estimator, CalibratedClassifier):
        _add_classes(graph, estimator, features)
    elif isinstance(metrics, RegressorMetrics) and isinstance(estimator, _REGRESSORS):
        offset = inputs.get(calories.OFFSET)
        _add_kcal(graph, _predicted(graph, estimator, features), metrics, offset)
    else:
        raise FitnessError(f"a {type(estimator).__name__} cannot be written as ONNX")
    built = helper.make_model(
        helper.make_graph(
            graph.nodes, name, graph.inputs, graph.outputs, list(graph.constants.values())
        ),
        producer_name="fitness_assets",
        ir_version=_IR,
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(ML, _ML_OPSET)],
    )
    helper.set_model_props(built, dict(sorted((properties_of(metrics) | dict(properties)).items())))
    checker.check_model(built, full_check=True)
    return built


def properties_of(metrics: ClassifierMetrics | RegressorMetrics) -> dict[str, str]:
    """Metadata of a model: JSON by name.

    ``features`` has the unit of each number and the values that the model was trained on.
    A regressor also has its ``interval``, a classifier its ``classes``.
    """
    inputs = metrics.inputs
    features: dict[str, dict[str, Any]] = {
        name: {"values": inputs.categories[name]}
        if name in inputs.categories
        else {"unit": _unit(name)} | msgspec.to_builtins(inputs.ranges[name])
        for name in inputs.features
    }
    if STEPS_ABOVE_USUAL in features:
        features[STEPS_ABOVE_USUAL]["computed"] = "steps - steps_mean_28d"
    found: dict[str, Any] = {"features": features}
    if isinstance(metrics, ClassifierMetrics):
        found["classes"] = metrics.evaluation.labels
    else:
        cold_start = metrics.cold_start.interval if metrics.cold_start else None
        found["interval"] = {
            "coverage": COVERAGE,
            "unit": _unit(calories.TARGET),
            **msgspec.to_builtins(metrics.interval),
            "without_history": msgspec.to_builtins(cold_start),
        }
    return {name: json.dumps(value, ensure_ascii=False) for name, value in found.items()}


def _unit(name: str) -> str:
    """The unit of a feature; a trailing mean has that of its value."""
    value = next((each.value for each in BASELINES if each.name == name), name)
    return NUMBERS[value].unit if value in NUMBERS else ""


def _encoded(graph: Graph, model: Pipeline, inputs: Mapping[str, Value]) -> Value:
    """The features as the estimator at the end of `model` gets them, of shape (n, m)."""
    derive, transformers = model[:-1]
    numbers = {name: value for name, value in inputs.items() if name not in pipelines.CATEGORIES}
    if "calories_burned" in numbers:
        numbers["calories_burned"] = np.rint(numbers["calories_burned"] / KCAL_STEP) * KCAL_STEP
    medians = dict(zip(derive.feature_names_in_, derive.medians_, strict=True))

    def of(name: str) -> Any:
        if name == "sex":
            return _basal_constant(graph, inputs[name])
        return _filled(graph, numbers[name], medians[name])

    numbers |= {name: DERIVED[name].formula(of) for name in derive.names}
    parts = []
    for step, transformer, columns in transformers.transformers_:
        if step == "remainder":
            continue
        if step == "categories":
            known = transformer[-1].categories_
            parts += [
                _one_hot(graph, inputs[name], each.tolist())
                for name, each in zip(columns, known, strict=True)
            ]
            continue
        values = graph.apply("Concat", *(numbers[name] for name in columns), axis=1)
        if step != "offset":
            imputer, scaler = transformer
            medians_of = np.nan_to_num(imputer.statistics_.astype(float))
            values = (_filled(graph, values, medians_of) - scaler.mean_) / scaler.scale_
        parts.append(values)
    return graph.apply("Concat", *parts, axis=1)


def _filled(graph: Graph, values: Value, medians: Any) -> Value:
    """`values` with medians for NaN."""
    return graph.apply("Where", np.isnan(values), np.asarray(medians, dtype=np.float64), values)


def _basal_constant(graph: Graph, sex: Value) -> Value:
    constants = graph.apply(
        "LabelEncoder",
        sex,
        domain=ML,
        keys_strings=list(BASAL_CONSTANTS),
        values_floats=list(BASAL_CONSTANTS.values()),
        default_float=NO_SEX,
    )
    return constants.cast(TensorProto.DOUBLE)


def _one_hot(graph: Graph, texts: Value, known: list[str]) -> Value:
    """A column for each known category; one that is not known is none of them."""
    codes = {text: code for code, text in enumerate(known)}
    if pipelines.UNKNOWN in codes:
        codes = dict.fromkeys(_MISSING, codes[pipelines.UNKNOWN]) | codes
    code = graph.apply(
        "LabelEncoder",
        texts,
        domain=ML,
        keys_strings=list(codes),
        values_int64s=list(codes.values()),
        default_int64=-1,
    )
    places = np.arange(len(known), dtype=np.int64)[np.newaxis]
    return graph.apply("Equal", code, places).cast(TensorProto.DOUBLE)


def _predicted(graph: Graph, estimator: Any, features: Value) -> Value:
    """What a regressor predicts, of shape (n, 1)."""
    if isinstance(estimator, ResidualRegressor):
        residual, cold_start = estimator.residual, estimator.without_history
        count = len(residual.line.coef_)
        offset = features.columns(count, count + 1)
        known = offset + _predicted(graph, residual, features.columns(0, count))
        without = features.columns(0, count - estimator.history_features)
        return _predicted(graph, cold_start, without).where(np.isnan(offset), known)
    line: Value = graph.apply("MatMul", features, estimator.line.coef_[:, np.newaxis])
    line = line + estimator.line.intercept_
    return line if estimator.forest is None else line + _forest(graph, estimator.forest, features)


def _forest(graph: Graph, forest: PackedForest, features: Value) -> Value:
    """Mean over the trees, of shape (n, 1), or for a classifier (n, classes)."""
    content = decode(forest.to_bytes())
    leaf, value = content.leaf, _leaf_values(content)
    roots, skip, _ = structure(leaf, content.n_trees)
    nodes = np.arange(len(leaf))
    tree = np.searchsorted(roots, nodes, side="right") - 1
    node = nodes - roots[tree]

    def of_splits(values: np.ndarray, kind: type) -> np.ndarray:
        all_nodes: np.ndarray = np.zeros(len(leaf), kind)
        all_nodes[~leaf] = values
        return all_nodes

    # A leaf has a value for each class that it has any of.
    place, target = np.nonzero(value)
    alone = np.setdiff1d(np.arange(len(value)), place)
    place, target = np.append(place, alone), np.append(target, np.zeros_like(alone))
    at = np.flatnonzero(leaf)[place]
    predicted = graph.apply(
        "TreeEnsembleRegressor",
        features.cast(TensorProto.FLOAT),
        domain=ML,
        aggregate_function="AVERAGE",
        n_targets=value.shape[1],
        nodes_treeids=tree.tolist(),
        nodes_nodeids=node.tolist(),
        nodes_modes=["LEAF" if each else "BRANCH_LEQ" for each in leaf],
        nodes_featureids=of_splits(content.feature, int).tolist(),
        nodes_values=of_splits(content.threshold, float).tolist(),
        nodes_missing_value_tracks_true=of_splits(content.missing_left, int).tolist(),
        nodes_truenodeids=np.where(leaf, 0, node + 1).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, node + 1 + skip).tolist(),
        target_treeids=tree[at].tolist(),
        target_nodeids=node[at].tolist(),
        target_ids=target.tolist(),
        target_weights=value[place, target].tolist(),
    )
    return predicted.cast(TensorProto.DOUBLE)


def _leaf_values(content: ForestContent) -> np.ndarray:
    """Of shape (leaves, 1), or for a classifier the probabilities, of shape (leaves, classes)."""
    if content.weights is None:
        return content.value[:, np.newaxis].astype(float)
    shares = content.weights / weight_totals(content.weights)[:, np.newaxis]
    of_leaves: np.ndarray = shares[content.value.astype(int)]
    return of_leaves


class _Converted:
    """A forest whose probabilities are a value of the graph."""

    def __init__(self, probabilities: Value) -> None:
        self._probabilities = probabilities

    def predict_proba(self, _features: np.ndarray) -> Value:
        return self._probabilities


def _add_classes(graph: Graph, classifier: CalibratedClassifier, features: Value) -> None:
    converted = _Converted(_forest(graph, classifier.forest, features))
    # The classifier computes with what the forest returns.
    calibrated = CalibratedClassifier(
        converted, classifier.frequencies, classifier.scale, classifier.shift
    )
    probabilities: Any = calibrated.predict_proba(np.empty(0))
    best = graph.apply("ArgMax", probabilities, axis=1, keepdims=0)
    labels = graph.constant(classifier.classes_.astype(object))
    graph.output("activity_type", graph.apply("Gather", labels, best), TensorProto.STRING)
    graph.output(
        "probabilities",
        probabilities.cast(TensorProto.FLOAT),
        TensorProto.FLOAT,
        len(classifier.classes_),
    )


def _add_kcal(
    graph: Graph, predicted: Value, metrics: RegressorMetrics, offset: Value | None
) -> None:
    bounds = _bounds(graph, predicted, metrics.interval)
    if metrics.cold_start and offset is not None:
        without = np.isnan(offset)
        cold_start = _bounds(graph, predicted, metrics.cold_start.interval)
        bounds = [low.where(without, high) for low, high in zip(cold_start, bounds, strict=True)]
    for name, value in zip((calories.TARGET, "low", "high"), (predicted, *bounds), strict=True):
        graph.output(name, value.cast(TensorProto.FLOAT), TensorProto.FLOAT, 1)


def _bounds(graph: Graph, predicted: Value, interval: Interval) -> list[Value]:
    """Both bounds of the predictions. See `evaluation.interval_bounds`."""
    sides = [np.asarray(side) for side in (interval.low, interval.high)]
    if not interval.edges:
        return [predicted + side[0] for side in sides]
    edges = np.asarray(interval.edges)[np.newaxis]
    reached = graph.apply("LessOrEqual", edges, predicted)
    place = reached.cast(TensorProto.INT64).sum(axis=1, keepdims=True)
    return [predicted + graph.apply("Gather", side, place) for side in sides]
