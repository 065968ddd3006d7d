"""Where each artifact lives below the configured home."""

from dataclasses import dataclass

from fitness_assets.release.registry import upload_target
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.target import Target
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import Source, configured_source
from fitness_assets.storage.check_results import CheckResultStore
from fitness_assets.storage.lake import Lake
from fitness_assets.storage.models import ModelStore
from fitness_assets.storage.publication import Manifest

MODELS = ("segment_model", "activity_classifier", "calorie_regressor")
#: What is measured beside the models.
REPORTS = ("model_backtest", "compression_report")


@dataclass(frozen=True)
class Workspace:
    """The configured source and stores, as assets and commands use them."""

    source: Source
    raw: Lake
    daily: Lake
    check_results: CheckResultStore
    models: dict[str, ModelStore]
    reports: dict[str, ModelStore]
    releases: ReleaseStore
    uploads: Target

    @classmethod
    def of(cls, settings: Settings) -> "Workspace":
        """The workspace that `settings` describe. Nothing is read or written yet."""
        return cls(
            source=configured_source(settings),
            raw=Lake(settings.home / "lake" / "raw_telemetry"),
            daily=Lake(settings.home / "lake" / "daily_activity"),
            check_results=CheckResultStore(settings.home / "reports" / "daily_activity"),
            models={name: ModelStore(settings.home / "models" / name) for name in MODELS},
            reports={name: ModelStore(settings.home / "reports" / name) for name in REPORTS},
            releases=ReleaseStore(settings.home / "releases"),
            uploads=upload_target(settings),
        )

    def manifest(self, asset: str, month: str) -> Manifest | None:
        """What is stored of `asset` for `month`, or None."""
        stores: dict[str, Lake | ModelStore | ReleaseStore | Target] = {
            "raw_telemetry": self.raw,
            "daily_activity": self.daily,
            "dashboard_release": self.releases,
            "drive_upload": self.uploads,
            **self.models,
            **self.reports,
        }
        return stores[asset].manifest(month)
