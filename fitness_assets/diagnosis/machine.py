"""Checks of the machine: Java, Spark, ports, disks and the clock."""

import errno
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from fitness_assets import clock
from fitness_assets.diagnosis.finding import Finding, fault, ok, warning
from fitness_assets.formatting import seconds, size
from fitness_assets.orchestration import locks
from fitness_assets.orchestration.locks import SERVE_LOCK
from fitness_assets.settings import Settings
from fitness_assets.spark.java import OLDEST, find_java

_SPARK_TIMEOUT_SECONDS = 60.0
#: Bytes below which a disk is nearly full, and below which the next month may not fit.
_LITTLE, _TOO_LITTLE = 2_000_000_000, 200_000_000
#: Share of the inodes below which a disk is nearly full.
_FEW_INODES = 0.01
_CLOCK_TOLERANCE = timedelta(minutes=5)
_MAX_REASON = 300


def check_java(settings: Settings) -> Iterator[Finding]:
    """The Java that Spark would run on."""
    # The launcher of the packaged Java is written to the folder that is passed.
    with TemporaryDirectory(prefix="fitness-") as folder:
        java = find_java(settings.java_home, Path(folder))
    text = f"Java {java.major}, {java.executable}"
    declared = settings.java_home
    if declared is not None and java.home != declared and java.home.resolve() != declared.resolve():
        yield warning(
            f"JAVA_HOME={declared} holds no Java {OLDEST} or later; {text} is used instead",
            f"set JAVA_HOME to a Java {OLDEST} or later, or unset it",
        )
    else:
        yield ok(text)


def check_spark(settings: Settings) -> Iterator[Finding]:
    """Start the configured Spark session in a process of its own."""
    began = time.monotonic()
    advice = "set FITNESS_SPARK_MEMORY to less than the free memory, and check JAVA_HOME"
    if not settings.spark_master.startswith("local"):
        advice = f"start the cluster at {settings.spark_master}, or unset FITNESS_SPARK_MASTER"
    environment = settings.environment()
    # The process ends before the optimizing compiler of Java would save time.
    options = f"{environment.get('SPARK_SUBMIT_OPTS', '')} -XX:TieredStopAtLevel=1"
    with TemporaryDirectory(prefix="fitness-") as folder:
        try:
            result = subprocess.run(
                [sys.executable, "-m", "fitness_assets.spark.start", folder],
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                cwd=folder,
                env=environment | {"SPARK_SUBMIT_OPTS": options.strip()},
                timeout=_SPARK_TIMEOUT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            yield fault(
                f"{settings.spark_master} did not start in {seconds(_SPARK_TIMEOUT_SECONDS)}",
                advice,
            )
            return
    if result.returncode:
        yield fault(f"{settings.spark_master} does not start: {_reason(result)}", advice)
    else:
        taken = seconds(time.monotonic() - began)
        yield ok(f"{settings.spark_master} started and ran a job in {taken}")


def _reason(result: subprocess.CompletedProcess[str]) -> str:
    """The line of the output that says most: the first error of Java, else the last line."""
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("Error", "Invalid", "Exception"))]
    found = [*errors[:1], *lines[-1:], f"exit status {result.returncode}"]
    return found[0][:_MAX_REASON]


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Whether `fitness serve` could bind its ports."""
    served = locks.is_held(settings.dagster_home / SERVE_LOCK)
    ports = {
        "FITNESS_DAGSTER_PORT": settings.dagster_port,
        "FITNESS_DASHBOARD_PORT": settings.dashboard_port,
    }
    for variable, port in ports.items():
        place = f"port {port} on {settings.host}"
        try:
            with socket.socket() as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((settings.host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and served:
                yield ok(f"{place} is used by the `fitness serve` of this home")
            elif error.errno == errno.EADDRINUSE:
                yield fault(f"{place} is in use", f"set {variable}, or end what uses it")
            elif error.errno == errno.EACCES:
                yield fault(f"{place} is reserved for root", f"set {variable} above 1023")
            else:
                yield fault(
                    f"{place} cannot be bound: {error.strerror or error}",
                    "set FITNESS_HOST to an address of this machine",
                )
        else:
            yield ok(f"{place} is free")


def check_disks(settings: Settings) -> Iterator[Finding]:
    """Free space where the platform writes, each file system once."""
    folders = {
        "FITNESS_HOME" if settings.home == settings.storage else "FITNESS_STATE": settings.home,
        "DAGSTER_HOME": settings.dagster_home,
        "FITNESS_RELEASE_CACHE": settings.release_cache,
        "TMPDIR": Path(gettempdir()),
    }
    seen = set()
    for variable, folder in folders.items():
        existing = nearest(folder)
        device = existing.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield _disk(variable, existing)


def _disk(variable: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    system = os.statvfs(folder)
    elsewhere = f"free space, or set {variable} to a folder on another disk"
    if system.f_flag & os.ST_RDONLY:
        return fault(
            f"{folder} is on a read-only file system",
            f"check the disk, or set {variable} to a folder that can be written",
        )
    text = f"{size(free)} free at {folder}"
    if free < _TOO_LITTLE:
        return fault(text, elsewhere)
    if system.f_files and system.f_favail < _FEW_INODES * system.f_files:
        return fault(f"nearly no inodes are left at {folder}", f"delete files, or {elsewhere}")
    return warning(text, elsewhere) if free < _LITTLE else ok(text)


def check_clock(settings: Settings) -> Iterator[Finding]:
    """Whether the time is later than that of the installed package and of the home's folders."""
    now = clock.now()
    # The home's own folders only: files that were copied may have any time.
    written = [Path(__file__), settings.home, settings.dagster_home, *settings.home.glob("*")]
    for path in written:
        try:
            changed = datetime.fromtimestamp(path.stat().st_mtime, now.tzinfo)
        except OSError:
            continue
        if changed > now + _CLOCK_TOLERANCE:
            yield fault(
                f"the clock says {now:%Y-%m-%d %H:%M} UTC, and {path} was changed at "
                f"{changed:%Y-%m-%d %H:%M} UTC",
                "set the clock, for example by NTP: months end by it",
            )
            return
    zone = settings.zone.key
    yield ok(f"{now:%Y-%m-%d %H:%M} UTC; months end in {zone}")


def nearest(folder: Path) -> Path:
    """`folder`, or its nearest parent that exists, as far as this user may see."""
    folder = folder.absolute()
    for path in (folder, *folder.parents):
        with suppress(PermissionError):
            if path.exists():
                return path
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
