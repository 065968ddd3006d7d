"""Charts of the view Compression."""

import altair as alt
import pandas as pd

from dashboard.charts.theme import bottom_legend, layered, rows_height, tip

_SMALLEST = 1_000
#: Vega expression of a label such as "10 kB".
_BYTES_LABEL = "replace(format(datum.value, '~s'), regexp('(\\\\D*)$'), ' $1B')"


def step_sizes(steps: pd.DataFrame, chosen: str) -> alt.LayerChart:
    """Size of each step on disk and in memory, on a logarithmic axis.

    Parameters
    ----------
    steps : DataFrame
        ``step``, ``where`` ("On disk" or "In memory") and ``bytes``.
    chosen : str
        The step to highlight.
    """
    base = alt.Chart(steps).encode(
        y=alt.Y("step:N", sort=None, title=None, axis=alt.Axis(labelLimit=150)),
        yOffset="where:N",
    )
    return layered(
        base.mark_bar(cornerRadiusEnd=3).encode(
            x=alt.X(
                "bytes:Q",
                title="Size (each line: ten times more)",
                scale=alt.Scale(type="log", domainMin=_SMALLEST),
                axis=alt.Axis(labelExpr=_BYTES_LABEL, tickCount=6),
            ),
            x2=alt.datum(_SMALLEST),
            color=alt.Color("where:N", title=None, legend=bottom_legend()),
            opacity=alt.condition(alt.datum["step"] == chosen, alt.value(1.0), alt.value(0.45)),
            tooltip=[
                tip("step:N", "Step"),
                tip("where:N", "Where"),
                tip("bytes:Q", "Bytes", ","),
            ],
        )
    ).properties(
        height=rows_height(steps["step"].nunique(), 40, axis_title=True, legend_rows=1),
        title="Size of the calorie forest",
    )
