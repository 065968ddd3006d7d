"""The card of a model, as Markdown: what it was trained on, how it scores, and its limits.

A card shows what the report on a model has. For a release that does not publish rows of people the
report is a protected one, and so is its card. The sections are those of Mitchell et al., Model
Cards for Model Reporting (FAT* 2019).
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from fitness_assets.formatting import number, percent, significant
from fitness_assets.models.day_kind_metrics import DayKindMetrics
from fitness_assets.models.explanations import (
    day_kinds_measured,
    day_kinds_verdict,
    segments_measured,
    segments_verdict,
)
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.registry import ModelSpec
from fitness_assets.models.reports import Metrics, ModelReport
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.models.slices import TITLES
from fitness_assets.text import verbatim

Forest = ClassifierMetrics | RegressorMetrics

_SCORES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "log_loss": "Log loss",
    "calibration_error": "Calibration error",
    "recall": "Recall",
    "r2": "R²",
    "mae": "Mean absolute error (kcal)",
    "rmse": "Root mean squared error (kcal)",
    "coverage": "In the 90% interval",
}
_NOT_SHOWN = (
    "Not shown are slices of fewer than ten days and, in a protected release, those from which the "
    "score of few people follows. A device is known by the source of its records."
)
_SHARES = ("recall", "coverage")
_WHOLE = ("mae", "rmse")
_KINDS = {
    "cohort": "of a cohort: it applies to users that it was not trained on",
    "personal": "personal: of the own days of fewer than 10 users",
}
# From this value on, decimals are not shown.
_WHOLE_FROM = 1_000


def card(spec: ModelSpec, month: str, report: ModelReport) -> str:
    """The card of the model of a month.

    Parameters
    ----------
    spec : ModelSpec
    month : str
    report : ModelReport
        Of the model of `month`.
    """
    metrics = report.metrics
    sections = {"Data": _data(report)}
    if isinstance(metrics, SegmentMetrics):
        sections["Scores"] = _segments(metrics)
    elif isinstance(metrics, DayKindMetrics):
        sections["Scores"] = _day_kinds(metrics)
    elif metrics is not None:
        sections |= {
            "Scores": _scores(metrics),
            "Slices": _slices(metrics),
            "Inputs": _inputs(metrics),
        }
    sections |= {"Refusals": _refusals(report), "Limits": _list(_limits(report))}
    parts = [f"# {spec.title}, {month}", " ".join(spec.description.split())]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items()]
    return "\n\n".join(parts) + "\n"


def _data(report: ModelReport) -> str:
    metrics = report.metrics
    window = [_cell(month) for month in report.window]
    rows = [
        ("Kind of model", _KINDS[report.scope]),
        ("Source", "records of real people" if report.real_people else "the synthetic cohort"),
        ("Window", f"{window[0]} to {window[-1]}" if window else "no month"),
    ]
    if report.one_user_in > 1:
        rows.append(("Users", f"a sample: one in {number(report.one_user_in)}"))
    if isinstance(metrics, SegmentMetrics):
        rows += [
            ("Users", number(metrics.users)),
            ("Trained on", f"{number(metrics.train_users)} users"),
        ]
    elif isinstance(metrics, DayKindMetrics):
        rows.append(("Users", number(len(metrics.users))))
    elif metrics is not None:
        found = metrics.evaluation
        rows += [
            ("Trained on", f"{number(metrics.train_rows)} days of {_counted(metrics.train_users)}"),
            ("Scored on", f"{number(found.rows)} days of {_users(metrics)}"),
        ]
    if report.bytes is not None:
        rows.append(("Size", f"{number(report.bytes)} bytes"))
    versions = ", ".join(f"{_cell(m)}: {_cell(v[:12])}" for m, v in report.learned_from.items())
    rows.append(("Data versions", versions or "none"))
    return _table(("What", "Value"), rows)


def _users(metrics: Forest) -> str:
    found = metrics.evaluation
    if isinstance(metrics, RegressorMetrics) and metrics.personal:
        months = ", ".join(_cell(month) for month in metrics.personal.months)
        return (
            f"{_counted(found.users)}, in {months}, each month by a model of the months before it; "
            "the model is trained on the whole window"
        )
    if not found.repeats:
        return f"{number(found.users)} held-out users"
    return (
        f"{number(found.users)} users, cross-validated by user {found.repeats} times; the model is "
        "trained on all of them"
    )


def _counted(users: int) -> str:
    return f"{number(users)} {'user' if users == 1 else 'users'}"


def _scores(metrics: Forest) -> str:
    found = metrics.evaluation
    columns: dict[str, Mapping[str, float]] = {"Baseline": _plain(found.baseline)}
    text = f"The baseline gives every day the shares of the activities ({_majority(metrics)})."
    if isinstance(metrics, RegressorMetrics):
        columns = {"Linear part": _plain(metrics.linear), **columns}
        if metrics.cold_start:
            columns = {"Without history": _plain(metrics.cold_start.scores), **columns}
        evaluation = metrics.evaluation
        interval = (
            f"{percent(evaluation.coverage, 1)} of the days lie inside the 90% prediction "
            f"interval, which is {number(evaluation.interval_width)} kcal wide on average"
        )
        text = (
            f"The baseline gives every day the mean of the training days. {interval}; "
            f"{percent(evaluation.baseline_coverage, 1)} lie inside that of the baseline."
        )
        if metrics.personal:
            columns = {
                "Week before": _plain(metrics.personal.last_week),
                "Own mean": columns.pop("Baseline"),
            }
            text = (
                "Own mean gives each day the mean of the user's earlier days, and Week before that "
                f"of the seven days before. {interval}."
            )
        elif metrics.line_alone:
            text += " A forest adds nothing, so the model is its linear part."
    rows = []
    for name, value in _plain(found.scores).items():
        bounds = ""
        if known := found.intervals.get(name):
            bounds = f"{_score(name, known.low)} to {_score(name, known.high)}"
        others = [_score(name, scores[name]) for scores in columns.values()]
        rows.append((_SCORES[name], _score(name, value), bounds, *others))
    of = "weeks" if isinstance(metrics, RegressorMetrics) and metrics.personal else "users"
    header = ("Score", "This model", f"In 95% of resamples of {of}", *columns)
    return f"{_table(header, rows)}\n\n{text}"


def _majority(metrics: Forest) -> str:
    if not isinstance(metrics, ClassifierMetrics):
        return ""
    return f"most often {_cell(_label(metrics.majority_class))}"


def _slices(metrics: Forest) -> str:
    if isinstance(metrics, RegressorMetrics) and metrics.personal:
        return "A personal model is scored on too few days for slices."
    parts = [_NOT_SHOWN]
    for kind, title in TITLES.items():
        found = metrics.evaluation.slices.get(kind)
        if not found:
            parts.append(f"### {title}\n\nNo slice.")
            continue
        names = [name for name in _SCORES if name in _plain(found[0])]
        rows = [
            (
                _cell(_label(each.slice)),
                number(each.rows),
                *(_score(name, getattr(each, name)) for name in names),
            )
            for each in found
        ]
        header = (title, "Days", *(_SCORES[name] for name in names))
        parts.append(f"### {title}\n\n{_table(header, rows)}")
    return "\n\n".join(parts)


def _inputs(metrics: Forest) -> str:
    """The inputs, most important first, with the values of the training days."""
    rows = []
    importances = {name: metrics.importances.get(name, 0.0) for name in metrics.inputs.features}
    for name, importance in sorted(importances.items(), key=lambda item: -item[1]):
        known = metrics.inputs.ranges.get(name)
        values = ", ".join(_cell(_label(each)) for each in metrics.inputs.categories.get(name, []))
        if known:
            low, middle, high = map(_number, (known.minimum, known.median, known.maximum))
            values = f"{low} to {high}, median {middle}"
        rows.append((_cell(_label(name)), values, number(importance, 4)))
    return _table(("Input", "Training days", "Importance"), rows)


def _segments(metrics: SegmentMetrics) -> str:
    rows = [(_cell(each.name), number(each.users)) for each in metrics.profiles]
    table = f"\n\n{_table(('Segment', 'Users'), rows)}" if rows else ""
    return f"{segments_verdict(metrics)} {segments_measured(metrics)}{table}"


def _day_kinds(metrics: DayKindMetrics) -> str:
    parts = []
    for found in metrics.users:
        rows = [
            (_cell(kind.name), number(kind.days), percent(kind.weekend_share))
            for kind in found.kinds
        ]
        header = ("Kind of days", "Days", "On a weekend")
        table = f"\n\n{_table(header, rows)}" if rows else ""
        verdict = f"{day_kinds_verdict(found)} {day_kinds_measured(found)}".rstrip()
        parts.append(f"### {_cell(found.user)}\n\n{verdict}{table}")
    return "\n\n".join(parts)


def _refusals(report: ModelReport) -> str:
    """Whether the model is released, and the gates that decide it."""
    if not report.learned:
        return f"Not trained: {_cell(report.reason or 'no reason')}."
    text = "Released: it passed every gate."
    if not report.released:
        text = f"Not released: {_cell(report.reason or 'no reason')}."
    rows = [(_cell(_label(gate.name)), gate.state, _cell(gate.message)) for gate in report.gates]
    return f"{text}\n\n{_table(('Gate', 'Result', 'Details'), rows)}" if rows else text


def _limits(report: ModelReport) -> Iterable[str]:
    metrics = report.metrics
    if not report.real_people:
        yield "It describes the synthetic cohort, and says nothing about real people."
    if report.scope == "personal":
        yield "It describes the users of its window and nobody else, with their devices and habits."
    else:
        yield (
            "It describes users like those of its window, and not users of other devices or habits."
        )
    yield "It finds no causes, and is no medical advice."
    if isinstance(metrics, SegmentMetrics | DayKindMetrics) or metrics is None:
        return
    yield (
        "Outside the values of the training days it extrapolates; the dashboard warns. It refuses "
        "a category that it was not trained on. A missing input counts as the median."
    )
    if metrics.evaluation.repeats:
        yield "Few users: the intervals of its scores are wide, and slices are of few users each."
    yield from _limits_of(metrics)


def _limits_of(metrics: Metrics) -> Iterable[str]:
    if isinstance(metrics, ClassifierMetrics):
        yield "It knows one activity a day, and only those in its training days."
    if isinstance(metrics, RegressorMetrics):
        yield "A prediction interval covers 90% of days in all, and not of each slice: see above."
        if metrics.cold_start:
            yield "Without a user's earlier days it uses a model of its own, which errs more."


def _plain(scores: msgspec.Struct) -> Mapping[str, float]:
    return {
        name: value for name, value in msgspec.structs.asdict(scores).items() if name in _SCORES
    }


def _score(name: str, value: float) -> str:
    if name in _SHARES:
        return percent(value, 1)
    return number(value, 0 if name in _WHOLE else 3)


def _number(value: float) -> str:
    return number(value) if abs(value) >= _WHOLE_FROM else significant(value, 4)


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _cell(text: str) -> str:
    """Text of a source or a release as it is; a pipe would end the cell of a table."""
    return verbatim(text.replace("|", "\N{BROKEN BAR}"))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
