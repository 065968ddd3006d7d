"""Measured facts in plain words, for the Dagster UI and the dashboard alike."""

from collections.abc import Mapping
from typing import Any


def segments_verdict(metrics: Mapping[str, Any]) -> str:
    """What the measured stability of the segments means."""
    agreement = f"adjusted Rand {metrics['stability']:.2f} between odd and even days"
    if metrics["stable"]:
        return f"{metrics['segments']} groups that stay the same from day to day ({agreement})."
    return f"No stable groups here: the same users fall into other groups ({agreement})."
