"""The stores below the configured home, and the source."""

from dataclasses import dataclass
from datetime import date, tzinfo
from typing import Protocol

from fitness_assets import clock, months
from fitness_assets.history.schema import HistoryReport
from fitness_assets.models.registry import MODEL_NAMES
from fitness_assets.models.reports import BacktestReport, CompressionReport, ModelReport
from fitness_assets.release.people import Privacy
from fitness_assets.release.receipts import ReceiptStore
from fitness_assets.release.registry import people_target, upload_target
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.target import Target
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import (
    Source,
    configured_pseudonyms,
    configured_source,
)
from fitness_assets.sources.preferred import SourceOrder
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets.storage.check_results import CheckResultStore
from fitness_assets.storage.lake import DailyInfo, Lake, RawInfo, TableInfo
from fitness_assets.storage.locations import Location, folder_names, remove_folder
from fitness_assets.storage.models import ModelStore
from fitness_assets.storage.publication import MANIFEST, Manifest

#: Assets that store a report, and no model.
REPORTS = ("person_history", "model_backtest", "compression_report")
#: The assets that are stored below the home, upstream assets first.
ASSETS = (
    *("raw_telemetry", "daily_activity", "workouts", *MODEL_NAMES, *REPORTS),
    "dashboard_release",
)


@dataclass(frozen=True)
class Workspace:
    """The configured source and stores, for assets and commands.

    Attributes
    ----------
    zone : tzinfo
        The time zone in which months end.
    source : Source
    source_order : SourceOrder
        The preferred sources.
    raw, daily, workouts : Lake
        Of `raw_telemetry`, `daily_activity` and `workouts`.
    check_results : CheckResultStore
        Of the data checks of `daily_activity`.
    models : dict of str to ModelStore
        By name of the model.
    history, backtest, compression : ModelStore
        Of `person_history`, `model_backtest` and `compression_report`.
    releases : ReleaseStore
        What anyone may read once it is uploaded.
    people : ReleaseStore
        The private bundles with rows of people.
    uploads, people_uploads : Target
        Of `releases` and of `people`.
    privacy : Privacy
    pseudonyms : Pseudonyms
    receipts : ReceiptStore
        Of what was uploaded, so that nobody needs to ask the target.
    """

    zone: tzinfo
    source: Source
    source_order: SourceOrder
    raw: Lake[RawInfo]
    daily: Lake[DailyInfo]
    workouts: Lake[TableInfo]
    check_results: CheckResultStore
    models: dict[str, ModelStore[ModelReport]]
    history: ModelStore[HistoryReport]
    backtest: ModelStore[BacktestReport]
    compression: ModelStore[CompressionReport]
    releases: ReleaseStore
    people: ReleaseStore
    uploads: Target
    people_uploads: Target
    privacy: Privacy
    pseudonyms: Pseudonyms
    receipts: ReceiptStore

    @classmethod
    def of(cls, settings: Settings) -> "Workspace":
        """The workspace of `settings`. Nothing is read or written yet."""
        home = settings.storage
        return cls(
            zone=settings.zone,
            source=configured_source(settings),
            source_order=SourceOrder(settings.source_order),
            raw=Lake(home / "lake" / "raw_telemetry", RawInfo),
            daily=Lake(home / "lake" / "daily_activity", DailyInfo),
            workouts=Lake(home / "lake" / "workouts", TableInfo),
            check_results=CheckResultStore(home / "reports" / "daily_activity"),
            models={name: ModelStore(home / "models" / name, ModelReport) for name in MODEL_NAMES},
            history=ModelStore(home / "reports" / "person_history", HistoryReport),
            backtest=ModelStore(home / "reports" / "model_backtest", BacktestReport),
            compression=ModelStore(home / "reports" / "compression_report", CompressionReport),
            releases=ReleaseStore(home / "releases"),
            people=ReleaseStore(home / "releases-people", private=True),
            uploads=upload_target(settings),
            people_uploads=people_target(settings),
            privacy=Privacy(
                people=settings.people,
                by_hand=settings.release_people is not None,
                real=settings.has_real_people,
                smallest_cell=settings.smallest_cell,
            ),
            pseudonyms=configured_pseudonyms(settings),
            receipts=ReceiptStore(home / "reports" / "drive_upload"),
        )

    @property
    def reports(
        self,
    ) -> (
        "dict[str, ModelStore[HistoryReport] | ModelStore[BacktestReport]"
        " | ModelStore[CompressionReport]]"
    ):
        """The stores of `REPORTS`, by name of the asset."""
        return {
            "person_history": self.history,
            "model_backtest": self.backtest,
            "compression_report": self.compression,
        }

    def months(self) -> list[str]:
        """The months that have a folder in any store, in order, also outside the range."""
        roots = [store.root for store in (*self.models.values(), *self.reports.values())]
        roots += [self.check_results.root, self.releases.root, self.people.root, self.receipts.root]
        names = {name for root in roots for name in folder_names(root)}
        names |= {*self.raw.months(), *self.daily.months(), *self.workouts.months()}
        return sorted(filter(months.is_key, names))

    def remove_uploads(self, month: str) -> None:
        """Remove the uploaded copies of `month`, and then the receipt."""
        self.uploads.remove(month)
        self.people_uploads.remove(month)
        remove_folder(self.receipts.folder(month), MANIFEST)

    def remove(self, asset: str, month: str) -> None:
        """Remove what is stored of `asset` for `month`, without uploaded copies."""
        if asset == "dashboard_release":
            self.releases.remove(month)
            self.people.remove(month)
            return
        if asset == "daily_activity":
            remove_folder(self.check_results.folder(month), MANIFEST)
        remove_folder(self.folder(asset, month), MANIFEST)

    def manifest(self, asset: str, month: str) -> Manifest | None:
        """The manifest of `asset` for `month`, or None if it is not stored."""
        if asset == "drive_upload":
            return self.uploads.manifest(month)
        return self._store(asset).manifest(month)

    def has_ended(self, month: str) -> bool:
        """Whether `month` is over now."""
        return clock.today(self.zone) >= months.end(month)

    def partial_until(self, month: str) -> date | None:
        """The last day so far of a stored month that is partial; None if it is whole or missing."""
        for lake in (self.daily, self.raw):
            if lake.manifest(month) is not None:
                return lake.info(month).last_day_so_far
        return None

    def is_outdated(self, asset: str, month: str) -> bool:
        """Whether an older version of the platform stored a model or report in another format."""
        store = (self.models | self.reports).get(asset)
        return store is not None and store.is_outdated(month)

    def folder(self, asset: str, month: str) -> Location:
        """The folder of `asset` for `month`; `drive_upload` has none."""
        return self._store(asset).folder(month)

    def _store(self, asset: str) -> "_Store":
        stores: dict[str, _Store] = {
            "raw_telemetry": self.raw,
            "daily_activity": self.daily,
            "workouts": self.workouts,
            **self.models,
            **self.reports,
            "dashboard_release": self.releases,
        }
        return stores[asset]


class _Store(Protocol):
    def manifest(self, month: str, /) -> Manifest | None: ...

    def folder(self, month: str, /) -> Location: ...
