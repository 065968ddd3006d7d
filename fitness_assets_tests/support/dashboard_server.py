"""A server of the dashboard, and a provider of logins, as processes."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fitness_assets_tests.support.platform import free_port, wait_for

_ROOT = Path(__file__).parents[2]
_SERVER = _ROOT / "dashboard" / "server.py"
_SECRETS = """
[auth]
redirect_uri = "{address}/oauth2callback"
cookie_secret = "of the test, with more than 32 characters"  # pragma: allowlist secret
client_id = "dashboard"
client_secret = "of the test"  # pragma: allowlist secret
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


@contextmanager
def serving(
    source: Path,
    cache: Path,
    environ: Mapping[str, str] | None = None,
    *,
    bind: str = "127.0.0.1",
    provider: str | None = None,
) -> Iterator[str]:
    """A server of the dashboard on the releases in `source`; yields its address.

    Parameters
    ----------
    source, cache : Path
        Folders of the releases, and of the copy.
    environ : mapping, optional
        More settings.
    bind : str
        Address to bind to.
    provider : str, optional
        Address of the provider of logins; without it no login is configured.
    """
    port = free_port()
    address = f"http://{'localhost' if provider else bind}:{port}"
    options = []
    if provider:
        secrets = cache.with_name("secrets.toml")
        secrets.write_text(_SECRETS.format(address=address, provider=provider))
        options = ["--secrets.files", str(secrets)]
    others = {name: value for name, value in os.environ.items() if not name.startswith("FITNESS_")}
    settings = {"FITNESS_RELEASE_SOURCE": str(source), "FITNESS_RELEASE_CACHE": str(cache)}
    command = [
        *(sys.executable, "-m", "streamlit", "run", str(_SERVER), "--server.port", str(port)),
        *("--server.address", bind, *options),
    ]
    with _process(command, others | settings | dict(environ or {})) as process:
        _wait_until_up(process, f"http://{bind}:{port}/_stcore/health")
        yield address


@contextmanager
def login_provider(*claims: Mapping[str, object]) -> Iterator[str]:
    """An OpenID provider that knows the users with these claims; yields its address."""
    port = free_port()
    users = [f"--user-claims={json.dumps(each)}" for each in claims]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *users]
    with _process(command, dict(os.environ)) as process:
        address = f"http://localhost:{port}"
        _wait_until_up(process, f"http://127.0.0.1:{port}/.well-known/openid-configuration")
        yield address


@contextmanager
def _process(
    command: list[str], environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_up(process: "subprocess.Popen[bytes]", url: str) -> None:
    def is_up() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=30):
                return True
        except OSError:
            return process.poll() is not None

    wait_for(url, is_up, 120, pause=0.1)
    assert process.poll() is None
