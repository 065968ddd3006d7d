"""The first page of the dashboard on a slow line: through the proxy of the deployment, or without.

A browser without a cache opens the overview over 1.6 Mbit/s with a latency of 150 ms, as Chromium
emulates it. The proxy runs with `deploy/Caddyfile`.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from rich.table import Table

_ROOT = Path(__file__).parents[1]
# A slow mobile line.
_BYTES_PER_SECOND, _LATENCY_MS = 1_600_000 / 8, 150
_TIMEOUT_MS = 120_000
_VISITS = 3
_USER, _PASSWORD = "bench", "bench"
_ARE_DRAWN = """
    () => {
        const charts = [...document.querySelectorAll('[data-testid=stVegaLiteChart]')];
        return charts.length > 0 && charts.every(chart => chart.querySelector('canvas, svg'));
    }
"""


def first_page() -> "Iterator[Table]":
    """The overview in a browser without a cache, on a line of 1.6 Mbit/s and 150 ms."""
    from rich.table import Table

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        subprocess.run(
            [Path(sys.executable).with_name("fitness"), "backfill", "2023-04"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_environment(FITNESS_HOME=str(home)),
        )
        table = Table(
            "overview of 1,959 users, fastest of three visits",
            "title, seconds",
            "charts, seconds",
            "MB received",
            "requests",
            title="first page",
        )
        for name, seconds_title, seconds_charts, received, requests in measure(home, Path(folder)):
            table.add_row(
                name,
                f"{seconds_title:.1f}",
                f"{seconds_charts:.1f}",
                f"{received / 1e6:.2f}",
                f"{requests}",
            )
        yield table


def measure(home: Path, folder: Path) -> Iterator[tuple[str, float, float, float, int]]:
    """Open the overview of the releases of `home`, without the proxy and through it.

    Yields
    ------
    tuple of (str, float, float, float, int)
        The way, seconds until the title and until the charts are drawn, received bytes, requests.
    """
    from fitness_assets_tests.support.browser import chromium

    with (
        _services(home, folder) as (server, proxy),
        # The certificate of localhost is the proxy's own.
        chromium("--ignore-certificate-errors") as browser,
    ):
        for name, address in (("without the proxy", server), ("through the proxy", proxy)):
            # The first visit reads the release; it is not measured.
            _open(browser, address, is_slow=False)
            # Other work on the machine slows some visits down.
            yield (name, *min(_open(browser, address, is_slow=True) for _ in range(_VISITS)))


def _open(browser: "Browser", address: str, *, is_slow: bool) -> tuple[float, float, float, int]:
    context = browser.new_context(
        http_credentials={"username": _USER, "password": _PASSWORD},
        viewport={"width": 1400, "height": 900},
    )
    context.set_default_timeout(_TIMEOUT_MS)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    if is_slow:
        line = {"latency": _LATENCY_MS, "uploadThroughput": _BYTES_PER_SECOND}
        session.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "downloadThroughput": _BYTES_PER_SECOND, **line},
        )
    received: list[float] = []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    session.on(
        "Network.webSocketFrameReceived",
        lambda event: received.append(len(event["response"]["payloadData"]) * 3 / 4),
    )
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.get_by_role("heading", level=1).first.wait_for()
    title = time.perf_counter() - began
    page.wait_for_function(_ARE_DRAWN)
    charts = time.perf_counter() - began
    context.close()
    return title, charts, sum(received), len(requests)


@contextmanager
def _services(home: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """The server of the dashboard and the proxy in front of it; yields their addresses."""
    server, limit, proxy = (_free_port() for _ in range(3))
    site = f"https://localhost:{proxy}"
    text = (_ROOT / "deploy" / "Caddyfile").read_text()
    text = text.replace("login-limit:9000", f"127.0.0.1:{limit}")
    text = text.replace("dashboard:8501", f"127.0.0.1:{server}")
    # The health check of a container; and the name that the directive has in Caddy of Debian.
    text = text.partition("# For the health check")[0].replace("basic_auth", "basicauth")
    text = text.replace(
        "admin off", "admin off\n\tskip_install_trust\n\tauto_https disable_redirects"
    )
    config = folder / "Caddyfile"
    config.write_text(text)
    caddy = shutil.which("caddy") or "caddy"
    password = subprocess.run(
        [caddy, "hash-password", "--plaintext", _PASSWORD],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    own = _environment(
        FITNESS_HOME=str(home),
        FITNESS_SITE=site,
        FITNESS_RELEASE_CACHE=str(folder / "cache"),
        XDG_DATA_HOME=str(folder / "caddy"),
    )
    streamlit = (sys.executable, "-m", "streamlit", "run", str(_ROOT / "dashboard" / "server.py"))
    uvicorn = (sys.executable, "-m", "uvicorn", "fitness_assets.web.login_limit:app")
    commands = [
        [*streamlit, "--server.port", str(server), "--server.address", "127.0.0.1"],
        [*uvicorn, "--port", str(limit)],
        [caddy, "run", "--config", str(config), "--adapter", "caddyfile"],
    ]
    own |= {"FITNESS_USER": _USER, "FITNESS_PASSWORD_HASH": password}
    with contextlib.ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(
                command, env=own, cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
        for port in (server, limit, proxy):
            _wait_until_open(port)
        yield f"http://localhost:{server}", site


def _environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FITNESS_")}
    return kept | settings


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_until_open(port: int) -> None:
    import socket

    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing listens on port {port}")
