"""The manifests in `deploy/kubernetes`, and Spark's executors as they declare them."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from fitness_assets.declarations import declarations
from fitness_assets.settings import Settings
from fitness_assets_tests.support.composed import SERVICES
from fitness_assets_tests.support.kubernetes_api import KubernetesApi, kubernetes_api
from fitness_assets_tests.support.platform import QUICK_JAVA

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "kubernetes"
RESOURCES: list[dict[str, Any]] = [
    resource
    for path in sorted(FOLDER.glob("*.yaml"))
    for resource in yaml.safe_load_all(path.read_text())
]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
FITNESS = Path(sys.executable).with_name("fitness")


def data_of(name: str) -> dict[str, str]:
    (found,) = (
        each["data"]
        for each in RESOURCES
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name
    )
    return dict(found)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def check_pod(pod: dict[str, Any]) -> None:
    """Check that a pod has no rights and that its containers are confined."""
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        assert container["image"] in {
            f"ghcr.io/example/fitness-{name}:{VERSION}" for name in ("assets", "dashboard")
        }
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        for variable in container.get("env", ()):
            secret = "PASSWORD" in variable["name"]
            assert ("secretKeyRef" in variable.get("valueFrom", {})) == secret


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each["metadata"]["name"])
def test_pods_are_confined_and_of_this_version(resource: dict[str, Any]) -> None:
    assert resource["kind"] != "Secret"
    assert resource["metadata"].get("namespace", "fitness") == "fitness"
    if "template" not in resource.get("spec", {}):
        return
    pod = resource["spec"]["template"]["spec"]
    check_pod(pod)
    name = resource["metadata"]["name"]
    assert pod["automountServiceAccountToken"] == (name == "code")
    (container,) = pod["containers"]
    assert {"startupProbe", "livenessProbe"} <= set(container)


@pytest.mark.parametrize("name", ["code", "webserver", "daemon"])
def test_services_run_the_commands_of_the_compose_file(name: str) -> None:
    (pod,) = (
        each["spec"]["template"]["spec"]
        for each in RESOURCES
        if each["kind"] in ("Deployment", "StatefulSet") and each["metadata"]["name"] == name
    )
    assert pod["containers"][0]["command"] == ["tini", "--", *SERVICES[name]["command"]]


def test_only_declared_settings_are_set() -> None:
    declared = {each.variable for each in declarations(Settings).values()}
    assert set(data_of("settings")) <= declared


def backfill(home: Path, **settings: str) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FITNESS_")},
        **QUICK_JAVA,
        "FITNESS_COHORT_USERS": "30",
        "FITNESS_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        **settings,
    }
    run = subprocess.run(
        [FITNESS, "backfill", "2023-04", "--select", "raw_telemetry,daily_activity"],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
def test_executors_of_the_manifests_write_the_bytes_of_local_mode(tmp_path: Path) -> None:
    backfill(tmp_path / "local")
    home, configuration = tmp_path / "cluster", tmp_path / "spark"
    configuration.mkdir()
    declared = data_of("spark")
    template = configuration / "executor.yaml"
    template.write_text(declared["executor.yaml"])
    # The emulator has no certificate and no token, and does not end the requests that watch.
    defaults = [
        line.replace("/etc/spark/executor.yaml", str(template))
        for line in declared["spark-defaults.conf"].splitlines()
        if ".authenticate." not in line
    ]
    # One executor, and a state that is asked for: the test takes less time.
    defaults += [
        "spark.kubernetes.executor.enableApiWatcher false",
        "spark.kubernetes.executor.apiPollingInterval 1s",
        "spark.executor.instances 1",
    ]
    (configuration / "spark-defaults.conf").write_text("\n".join([*defaults, ""]))
    settings = data_of("settings") | {"FITNESS_HOME": str(home), "FITNESS_STATE": str(home)}
    api = KubernetesApi({"settings": settings}, tmp_path)
    api.create({"kind": "Pod", "metadata": {"name": "code-0", "labels": {}}, "spec": {}})
    with kubernetes_api(api) as address:
        backfill(
            home,
            FITNESS_SPARK_MASTER=f"k8s://{address}",
            SPARK_CONF_DIR=str(configuration),
            SPARK_LOCAL_HOSTNAME="127.0.0.1",
        )
    assert len(api.processes) == 1
    local = files(tmp_path / "local" / "lake" / "daily_activity")
    assert any(name.endswith(".parquet") for name in local)
    assert files(home / "lake" / "daily_activity") == local

    (executor,) = api.found("spark-role=executor")
    check_pod(executor["spec"])
    claims = {
        each["name"]: each["persistentVolumeClaim"]["claimName"]
        for each in executor["spec"]["volumes"]
        if "persistentVolumeClaim" in each
    }
    (mounts,) = (each["volumeMounts"] for each in executor["spec"]["containers"])
    assert [
        (each["mountPath"], claims[each["name"]]) for each in mounts if each["name"] in claims
    ] == [("/state", "state")]
    # The role allows what the driver did.
    (role,) = (each for each in RESOURCES if each["kind"] == "Role")
    (rule,) = role["rules"]
    assert {kind for _, kind in api.requests} == set(rule["resources"])
    assert {verb for verb, _ in api.requests} <= set(rule["verbs"])


def test_an_executor_outside_of_a_pod_of_spark_is_refused() -> None:
    run = subprocess.run(
        [FITNESS, "spark", "executor"], check=False, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert run.stderr.startswith("fitness: SPARK_DRIVER_URL, ")
    assert "Traceback" not in run.stderr
