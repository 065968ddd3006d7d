"""The deployment in `deploy/`: its files, and its services as processes on loopback addresses."""

import base64
import json
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from fitness_assets.declarations import declarations
from fitness_assets.months import between
from fitness_assets.settings import DashboardSettings, Settings
from fitness_assets.storage.lake import Lake, TableInfo
from fitness_assets.web.dagster_ui import DATA_PATHS
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.browser import chromium, expect
from fitness_assets_tests.support.composed import (
    COMPOSE,
    DEPLOY,
    REQUIRED,
    ROOT,
    SECOND,
    SERVICES,
    Composed,
    find_postgres,
    stage,
)
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.platform import USERS, free_port, wait_for

MONTHS = between("2023-04", "2023-08")
PARENT = "dagster/parent_run_id"
#: The services that run once and exit.
ENDING = ("state", "pools")
LOGIN = ("anna", "correct horse")
#: Of cost 4, so that many logins take a second.
HASH = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"  # pragma: allowlist secret
NONE: Mapping[str, str] = {}
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
DOTENV = {
    # Contains characters that URLs, shells and YAML treat specially.
    "POSTGRES_PASSWORD": "p@ss: $w/ord#%&",  # pragma: allowlist secret
    "FITNESS_SITE": "none",
    "FITNESS_USER": LOGIN[0],
    "FITNESS_PASSWORD_HASH": "none",  # pragma: allowlist secret
    "FITNESS_COHORT_USERS": str(USERS),
    "FITNESS_SPARK_MEMORY": "512m",
}


SETTINGS = {each.variable for each in declarations(Settings).values()}


def test_no_secret_has_a_default_and_the_example_names_each() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    required = {found[1] for found in REQUIRED.finditer(text)}
    assert REQUIRED.sub("", text).count("$") == 0
    example = (DEPLOY / "env.example").read_text()
    named = dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))
    assert named == dict.fromkeys(required, "")
    for ignored in (".gitignore", ".dockerignore"):
        assert "deploy/.env" in (ROOT / ignored).read_text().splitlines()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_limits_and_only_declared_settings(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "1000:1000"
    assert service["cap_drop"] == ["ALL"]
    assert "mem_limit" in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] <= 4096
    assert ("ports" in service) == (name == "proxy")
    assert service["restart"] == ("no" if name in ENDING else "unless-stopped")
    assert "healthcheck" in service or "HEALTHCHECK" in stage(name)
    variables = {each for each in service.get("environment", {}) if each.startswith("FITNESS_")}
    login = {"FITNESS_SITE", "FITNESS_USER", "FITNESS_PASSWORD_HASH"}
    assert variables - login <= SETTINGS
    for config in service.get("configs", ()):
        assert (DEPLOY / COMPOSE["configs"][config["source"]]["file"]).is_file()


#: What the services that run no code of the platform may read and write; others, the whole state.
FOLDERS = {
    "database": ["database"],
    "proxy": ["proxy"],
    "dashboard": ["releases", "releases-people"],
    "login-limit": [],
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_only_the_folder_that_it_needs(name: str) -> None:
    volumes = SERVICES[name]["volumes"]
    if name not in FOLDERS:
        assert volumes == ["state:/state"]
        return
    folders = FOLDERS[name]
    assert [each["volume"]["subpath"] for each in volumes] == folders
    assert [each["target"] for each in volumes] == [f"/state/{folder}" for folder in folders]
    created = SERVICES["state"]["command"][2].split()
    assert {f"/state/{folder}" for folder in folders} <= {each.rstrip(";") for each in created}


@pytest.mark.parametrize("name", ["dashboard", "login-limit", "proxy"])
def test_a_service_that_others_reach_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cpus"] <= 1
    assert service["pids_limit"] <= 256
    assert all(each.get("read_only") for each in service["volumes"]) == (name != "proxy")
    others = [each for each in SERVICES if each != name]
    inside = {"database", "code", "daemon", "pools", "spark-master", "spark-worker", "state"}
    reached = {each for each in others if networks(each) & networks(name)}
    assert reached.isdisjoint(inside)
    assert reached == ({"proxy"} if name != "proxy" else {"dashboard", "login-limit", "webserver"})


def networks(name: str) -> set[str]:
    return set(SERVICES[name].get("networks", ["default"]))


def test_the_dashboard_reads_private_bundles_but_no_key_of_pseudonyms() -> None:
    service = SERVICES["dashboard"]
    home = service["environment"]["FITNESS_HOME"]
    settings = DashboardSettings.from_env({"FITNESS_HOME": home})
    targets = {each["target"] for each in service["volumes"]}
    assert targets == {settings.release_source, settings.people_source}


def test_a_login_is_added_by_a_file_of_its_own() -> None:
    login = yaml.safe_load((DEPLOY / "login.yaml").read_text())
    (service,) = login["services"].values()
    assert list(login["services"]) == ["dashboard"]
    mounted = {each["source"]: each["target"] for each in service["configs"]}
    assert mounted.keys() == login["configs"].keys()
    assert service["environment"] == {"FITNESS_LOGINS": mounted["logins"]}
    # Where Streamlit looks for it: next to the script.
    assert mounted["secrets"] == "/app/dashboard/.streamlit/secrets.toml"
    for ignored in (".gitignore", ".dockerignore"):
        assert "deploy/login/" in (ROOT / ignored).read_text().splitlines()
    assert all(each["file"].startswith("login/") for each in login["configs"].values())


def test_an_object_store_is_added_by_a_file_of_its_own() -> None:
    text = (DEPLOY / "object-store.yaml").read_text()
    added = yaml.safe_load(text)["services"]
    builds = {name for name, each in SERVICES.items() if each.get("image") == "fitness-dashboard"}
    assert builds == {name for name, each in added.items() if "build" in each}
    added = {name: each for name, each in added.items() if "environment" in each}
    with_home = {n for n, each in SERVICES.items() if "FITNESS_HOME" in each.get("environment", {})}
    # The master of Spark reads and writes nothing.
    assert added.keys() == with_home - {"spark-master"}
    example = (DEPLOY / "env.example").read_text()
    for name, service in added.items():
        environment = SERVICES[name]["environment"] | service["environment"]
        assert environment["FITNESS_HOME"].startswith("${OBJECT_STORE:?")
        assert name == "dashboard" or environment["FITNESS_STATE"] == "/state"
        assert environment["AWS_SECRET_ACCESS_KEY"].startswith("${")
    assert REQUIRED.sub("", text).count("$") == 0, "no secret has a default"
    for variable in {found[1] for found in REQUIRED.finditer(text)}:
        assert f"# {variable}=" in example
    # Who reads the dashboard's memory learns no key that opens the lake.
    keys = {service["environment"]["AWS_ACCESS_KEY_ID"] for service in added.values()}
    assert len(keys) == 2


def test_the_proxy_refuses_what_the_gate_refuses() -> None:
    (patterns,) = re.findall(
        r"not path (/dagster.*)$", (DEPLOY / "Caddyfile").read_text(), re.MULTILINE
    )
    for path in DATA_PATHS:
        # /report_ takes only POST.
        assert path == "/report_" or f"/dagster{path}*" in patterns.split()


SECRETS = (
    ".env",
    "deploy/.env",
    "deploy/.env.local",
    "dashboard/.streamlit/secrets.toml",
    "credentials-drive.json",
    "a/service-account-1.json",
    "client_secret_1.json",
    "token.json",
    "tls/site.key",
    "tls/site.pem",
    "id_ed25519",
    ".netrc",
)


@pytest.mark.parametrize("ignored", [".gitignore", ".dockerignore"])
def test_secrets_are_neither_committed_nor_copied_into_an_image(ignored: str) -> None:
    patterns = [
        line.removeprefix("**/").rstrip("/")
        for line in (ROOT / ignored).read_text().splitlines()
        if line and not line.startswith("#")
    ]
    for path in SECRETS:
        name = path.rpartition("/")[2]
        assert any(fnmatch(name, each) or path == each for each in patterns), path
    # A container has neither git nor a checkout.
    tracked = ""
    if shutil.which("git") is not None:
        listed = ["git", "ls-files"]
        tracked = subprocess.run(
            listed, cwd=ROOT, check=False, capture_output=True, text=True
        ).stdout
    for path in tracked.splitlines():
        assert not any(fnmatch(path.rpartition("/")[2], each) for each in patterns), path


def test_every_setting_is_passed_to_its_service() -> None:
    of_platform = {each for each in SERVICES["code"]["environment"] if each.startswith("FITNESS_")}
    of_serve = {"FITNESS_HOST", "FITNESS_DAGSTER_PORT", "FITNESS_DASHBOARD_PORT"}
    of_dashboard = {each for each in SERVICES["dashboard"]["environment"] if each in SETTINGS}
    settings = {each for each in SETTINGS if each.startswith("FITNESS_")}
    assert settings - of_platform - of_dashboard == {*of_serve, "FITNESS_UPLOAD_FOLDER"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may enter."""
    path = Path(tempfile.mkdtemp(prefix="deployment-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


class Dagster:
    """The GraphQL API of Dagster at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, query: str) -> Any:
        document = json.dumps({"query": query}).encode()
        request = urllib.request.Request(self._url, document, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            document = json.load(answer)
        assert "errors" not in document, document
        return document["data"]

    def launch(self, asset: str, months: list[str]) -> str:
        data = self.ask(
            f"mutation {{ launchPartitionBackfill(backfillParams: {{assetSelection: "
            f'{{path: ["{asset}"]}}, '
            f"partitionNames: {json.dumps(months)}}}) {{ "
            "... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"
        )
        return str(data["launchPartitionBackfill"]["backfillId"])

    def status(self, backfill: str) -> str:
        data = self.ask(
            f'{{ partitionBackfillOrError(backfillId: "{backfill}") '
            "{ ... on PartitionBackfill { status } } }"
        )
        return str(data["partitionBackfillOrError"]["status"])

    def runs(self, *statuses: str) -> list[dict[str, Any]]:
        data = self.ask(
            "{ runsOrError { ... on Runs { results { id status startTime endTime "
            "tags { key value } stepStats { stepKey startTime endTime } } } } }"
        )
        return [
            run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}}
            for run in data["runsOrError"]["results"]
            if run["status"] in statuses or not statuses
        ]

    def working(self) -> list[str]:
        """The runs in progress whose process has started."""
        return [run["id"] for run in self.runs("STARTING", "STARTED") if self.worker(run["id"])]

    def worker(self, run: str) -> int | None:
        """The id of the process of `run`, or None if it has not started."""
        messages = " ".join(self.messages(run))
        found = re.search(r"Started process for run \(pid: (\d+)\)", messages)
        return int(found[1]) if found else None

    def messages(self, run: str) -> list[str]:
        data = self.ask(
            f'{{ logsForRun(runId: "{run}") {{ ... on EventConnection '
            "{ events { ... on MessageEvent { message } } } } }"
        )
        return [event["message"] for event in data["logsForRun"]["events"]]

    def errors(self) -> str:
        """The messages of the runs that failed, with the causes of failed steps."""
        data = self.ask(
            "{ runsOrError(filter: {statuses: [FAILURE]}) { ... on Runs { results { id "
            "eventConnection { events { ... on MessageEvent { message } ... on ErrorEvent { "
            "error { message causes { message } } } } } } } } }"
        )
        return json.dumps(data["runsOrError"]["results"], indent=1)

    def materializations(self, asset: str) -> list[tuple[str, str]]:
        """Month and data version of each materialization of `asset`."""
        data = self.ask(
            f'{{ assetOrError(assetKey: {{path: ["{asset}"]}}) {{ ... on Asset '
            "{ assetMaterializations(limit: 1000) { partition tags { key value } } } } }"
        )
        return [
            (event["partition"], tag["value"])
            for event in data["assetOrError"]["assetMaterializations"]
            for tag in event["tags"]
            if tag["key"] == "dagster/data_version"
        ]


def assert_each_month_once(
    dagster: Dagster, asset: str, months: list[str], lake: Lake[TableInfo]
) -> None:
    """Each month has one materialization, and the lake has its data version."""
    published = {month: lake.published(month) for month in months}
    assert sorted(dagster.materializations(asset)) == [
        (month, manifest.data_version) for month, manifest in published.items()
    ]
    assert all(lake.info(month).rows > 0 for month in months)
    assert not list(local(lake.root).rglob("_staging-*"))


def crash(composed: Composed, dagster: Dagster, run: str) -> None:
    """Kill the daemon and the process of `run` with SIGKILL, and restart the daemon."""
    composed.kill("daemon")
    worker = psutil.Process(dagster.worker(run) or pytest.fail(f"{run} has no process"))
    assert worker.pid in composed.descendants("code")
    jvms = worker.children(recursive=True)
    worker.kill()
    wait_for("the failure", lambda: run in [each["id"] for each in dagster.runs("FAILURE")])
    _, alive = psutil.wait_procs(jvms, timeout=300)
    assert alive == []
    composed.start("daemon")


@pytest.mark.browser
@pytest.mark.skipif(
    shutil.which("caddy") is None, reason="no Caddy (scripts/install-test-packages)"
)
def test_only_a_user_who_logs_in_sees_the_dashboard(folder: Path) -> None:
    port = free_port()
    login = {"FITNESS_SITE": f"http://proxy:{port}", "FITNESS_PASSWORD_HASH": HASH}
    with Composed(folder, DOTENV | login) as composed:
        composed.up("dashboard")
        composed.wait("dashboard")
        composed.up("login-limit")
        composed.wait("login-limit")
        composed.start("proxy")
        site = f"http://{composed.address['proxy']}:{port}"

        def answer(
            path: str,
            *login: str,
            headers: Mapping[str, str] | None = None,
            body: bytes | None = None,
        ) -> int:
            sent = (basic(*login) if login else {}) | dict(headers or {})
            request = urllib.request.Request(site + path, body, sent)
            try:
                with urllib.request.urlopen(request, timeout=120) as page:
                    return int(page.status)
            except urllib.error.HTTPError as error:
                return error.code
            except urllib.error.URLError:
                return 0

        wait_for("the proxy", lambda: answer("/") != 0)
        for path in ("/", "/_stcore/health", "/dagster", "/dagster/runs/1"):
            assert answer(path) == 401
        assert answer("/", LOGIN[0], "wrong") == 401
        assert answer("/_stcore/health", *LOGIN) == 200
        json_type = {"Content-Type": "application/json"}
        for body, headers, expected in (
            # Dagster is not running in this test.
            (b"{}", json_type, 502),
            (b"{}", json_type | {"Origin": site}, 502),
            (None, {}, 405),
            (b"{}", {"Content-Type": "text/plain; a=application/json"}, 415),
            (b"{}", json_type | {"Origin": "https://evil.example"}, 403),
            (b"{}", json_type | {"Origin": "null"}, 403),
            (None, {"Sec-Fetch-Site": "cross-site"}, 403),
            (None, {"Sec-Fetch-Site": "same-site"}, 403),
            (None, {"Sec-Fetch-Site": "cross-site", **LINK}, 403),
        ):
            assert answer("/dagster/graphql", *LOGIN, headers=headers, body=body) == expected
        link = {"Sec-Fetch-Site": "cross-site", **LINK}
        assert answer("/", *LOGIN, headers=link) == 200
        assert answer("/", *LOGIN, headers={"Sec-Fetch-Site": "cross-site"}) == 403
        request = urllib.request.Request(site, headers=basic(*LOGIN))
        with urllib.request.urlopen(request, timeout=120) as page:
            assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            assert "frame-ancestors" in page.headers["Content-Security-Policy"]
            assert "Server" not in page.headers
            script = re.findall(r'src="[.]/(static/[^"]+)"', page.read().decode())[0]
        # A browser on a slow line loads scripts compressed, and each only once.
        sent = basic(*LOGIN) | {"Accept-Encoding": "gzip"}
        request = urllib.request.Request(f"{site}/{script}", headers=sent)
        with urllib.request.urlopen(request, timeout=120) as answered:
            assert answered.headers["Content-Encoding"] == "gzip"
            assert "immutable" in answered.headers["Cache-Control"]
        with chromium() as browser:
            page = browser.new_context(
                http_credentials={"username": LOGIN[0], "password": LOGIN[1]}
            ).new_page()
            page.goto(site)
            # Streamlit sends the content through a web socket.
            expect(page.get_by_text("No month has been released yet")).to_be_visible()
        # Two passwords were tried above.
        guesses = [answer("/", LOGIN[0], f"guess {i}") for i in range(10)]
        assert guesses == [401] * 8 + [429] * 2
        assert answer("/", *LOGIN) == 200, "who has logged in stays logged in"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(find_postgres() is None, reason="no PostgreSQL (scripts/install-test-packages)")
def test_backfills_survive_a_crash_of_the_daemon_and_of_a_run(
    folder: Path, request: pytest.FixtureRequest
) -> None:
    with Composed(folder, DOTENV) as composed:
        composed.up("webserver", "spark-worker", SECOND, "dashboard", "pools")
        for name in ("webserver", "spark-worker", SECOND, "dashboard"):
            composed.wait(name)
        dagster = Dagster(f"http://{composed.address['webserver']}:3000/dagster/graphql")
        workspace = Workspace.of(Settings.from_env({"FITNESS_HOME": f"{folder}/state"}))

        raw = dagster.launch("raw_telemetry", MONTHS)
        with ExitStack() as locks:
            # No run can end while the test holds the lock of its month.
            for month in MONTHS:
                locks.enter_context(workspace.raw.writer(month))
            composed.start("daemon")
            wait_for("four runs", lambda: len(dagster.working()) == 4)
            first = dagster.working()[0]
            crash(composed, dagster, first)
        wait_for("raw_telemetry", lambda: dagster.status(raw) != "REQUESTED")
        assert dagster.status(raw) == "COMPLETED_SUCCESS", dagster.errors()
        assert_each_month_once(dagster, "raw_telemetry", MONTHS, workspace.raw)

        daily = dagster.launch("daily_activity", MONTHS[:2])
        wait_for("a Spark job", lambda: list(folder.glob("state/spark/app-*/0")) != [])
        (second,) = dagster.working()
        crash(composed, dagster, second)
        wait_for("daily_activity", lambda: dagster.status(daily) != "REQUESTED")
        # Dagster looks for materializations before it looks for runs. A retry that ends in between
        # is in neither, and leaves its backfill failed. The runs below are what counts.
        assert dagster.status(daily).startswith("COMPLETED_"), dagster.errors()
        assert_each_month_once(dagster, "daily_activity", MONTHS[:2], workspace.daily)

        assert {run["id"] for run in dagster.runs("FAILURE")} == {first, second}, dagster.errors()
        succeeded = dagster.runs("SUCCESS")
        assert {run["tags"].get(PARENT) for run in succeeded} == {None, first, second}
        assert len(dagster.runs()) == len(succeeded) + 2, "no run is left in progress"
        spans = sorted(
            (run["startTime"], run["endTime"])
            for run in succeeded
            if run["stepStats"][0]["stepKey"] == "daily_activity"
        )
        assert len(spans) == 2
        assert spans[0][1] <= spans[1][0], "one Spark job at a time"
        workers = [set(app.iterdir()) for app in folder.glob("state/spark/app-*")]
        assert any(len(executors) == 2 for executors in workers), "an application used both workers"
        composed.wait("daemon")

    local = Workspace.of(request.getfixturevalue("released")).daily
    for month in MONTHS[:2]:
        assert workspace.daily.published(month) == local.published(month)
