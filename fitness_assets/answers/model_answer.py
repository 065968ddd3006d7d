"""The answer about the models of a month."""

from fitness_assets.answers.arguments import ModelsArguments
from fitness_assets.answers.home import Home
from fitness_assets.answers.limits import Answer, fit, shorten_message
from fitness_assets.answers.periods import check_month
from fitness_assets.answers.records import VERSION_DIGITS
from fitness_assets.models import gates
from fitness_assets.models.registry import BY_NAME
from fitness_assets.models.reports import ModelHeadline, ModelReport
from fitness_assets.months import shift
from fitness_assets.storage.models import ModelStore

# Significant digits of scores.
_DIGITS = 3
# The scores that an answer has.
_SCORES = (
    *("accuracy", "baseline_accuracy", "r2", "baseline_r2", "rmse", "baseline_rmse"),
    *("train_users", "heldout_users", "k", "stable"),
)


def models(home: Home, asked: ModelsArguments) -> bytes:
    """What a month has of each model, and why not more."""
    wanted = check_month(asked.month)
    rows: list[object] = []
    for name, store in home.models.items():
        stored = _stored_month(store, wanted)
        if stored is None:
            rows.append({"model": name, "state": "not stored", "reason": "run `fitness backfill`"})
            continue
        before = store.headline(shift(stored, -1), ModelHeadline)
        report = gates.with_comparison(BY_NAME[name], store.report(stored), before)
        state = "released" if report.released else "trained" if report.learned else "not trained"
        version = store.published(stored).data_version[:VERSION_DIGITS]
        scores = report.headline().scores
        rows.append(
            {
                "model": name,
                "month": stored,
                "data_version": version,
                "state": state,
                "kind": report.scope,
                "reason": shorten_message(report.reason or ""),
                "learned_from": f"{report.window[0]}..{report.window[-1]}" if report.window else "",
                "gates_failed": [gate.name for gate in report.gates if not gate.passed],
                "scores": {key: _score(value) for key, value in scores.items() if key in _SCORES},
            }
        )
    found = wanted or "the newest month"
    answer = Answer(
        about=f"the models of {found}; a model is released only if it passes every gate",
        rows=rows,
    )
    return fit(answer, lambda _: "ask for another month")


def _stored_month(store: ModelStore[ModelReport], wanted: str | None) -> str | None:
    if wanted is not None:
        return wanted if store.manifest(wanted) else None
    return next((name for name in reversed(store.months()) if store.manifest(name)), None)


def _score(value: bool | float) -> bool | float:
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
