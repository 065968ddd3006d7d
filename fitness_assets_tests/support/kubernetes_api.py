"""A part of the Kubernetes API, whose pods are processes of this machine.

It has what the driver of Spark on Kubernetes asks for: pods, config maps and the pod of the driver.
A container is its command without `tini`, with the environment that the pod declares.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fitness_assets_tests.support.platform import QUICK_JAVA

#: The address of each pod.
_ADDRESS = "127.0.0.1"

Resource = dict[str, Any]
#: The verb of a request by its method, and whether it names one resource.
_VERBS = {
    ("GET", True): "get",
    ("GET", False): "list",
    ("POST", False): "create",
    ("PATCH", True): "patch",
    ("DELETE", True): "delete",
    ("DELETE", False): "deletecollection",
}


@dataclass
class KubernetesApi:
    """The state of the API.

    Attributes
    ----------
    config_maps : dict
        The data of the config maps that containers refer to, by name.
    folder : Path
        For the logs of containers.
    pods : dict
        By name.
    processes : list of Popen
        The containers that were started.
    requests : set of tuple of str
        Verb and kind of resource of each request, as a role names them.
    """

    config_maps: Mapping[str, Mapping[str, str]]
    folder: Path
    pods: dict[str, Resource] = field(default_factory=dict)
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    requests: set[tuple[str, str]] = field(default_factory=set)

    def create(self, pod: Resource) -> Resource:
        """Create a pod and start its container."""
        name = pod["metadata"]["name"]
        pod["metadata"] |= {"uid": f"uid-{name}", "resourceVersion": "1"}
        pod["status"] = {
            "phase": "Running",
            "podIP": _ADDRESS,
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self.pods[name] = pod
        if containers := pod["spec"].get("containers"):
            (container,) = containers
            self._start(pod, container)
        return pod

    def _start(self, pod: Resource, container: Resource) -> None:
        # The name of a pod resolves in a cluster. That of this machine may not.
        environment = {**os.environ, **QUICK_JAVA, "SPARK_LOCAL_HOSTNAME": "localhost"}
        for each in container.get("envFrom", []):
            if "configMapRef" in each:
                environment |= self.config_maps[each["configMapRef"]["name"]]
            else:
                assert each["secretRef"]["optional"]
        for each in container["env"]:
            environment[each["name"]] = each.get("value") or _field(pod, each)
        command: list[str] = [*container["command"], *container["args"]]
        assert command[:2] == ["tini", "--"]
        log = (self.folder / f"{pod['metadata']['name']}.log").open("wb")
        with log:
            self.processes.append(
                subprocess.Popen(
                    [Path(sys.executable).with_name(command[2]), *command[3:]],
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )

    def found(self, labels: str) -> list[Resource]:
        """The pods with these labels, such as ``spark-role=executor``."""
        wanted = dict(each.split("=", 1) for each in labels.split(",") if "=" in each)
        return [
            pod
            for pod in self.pods.values()
            if wanted.items() <= pod["metadata"].get("labels", {}).items()
        ]


def _field(pod: Resource, variable: Resource) -> str:
    """The value of a variable that is a field of the pod."""
    path = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
    if path is None:
        return ""
    section, name = path.split(".")
    return str(pod[section][name])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: KubernetesApi

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Log nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        *_, kind, name = url.path.rsplit("/", 2)
        query = parse_qs(url.query)
        if kind == "pods":
            pod = self._pod(name)
            self._answer(pod or _status(404), 200 if pod else 404)
        elif "watch" in query:
            # The driver then asks again for the list.
            self._answer(_status(410), 410)
        else:
            items = self.api.found(query.get("labelSelector", [""])[0]) if name == "pods" else []
            chosen = query.get("fieldSelector", [""])[0].removeprefix("metadata.name=")
            items = [each for each in items if chosen in ("", each["metadata"]["name"])]
            self._answer(
                {
                    "apiVersion": "v1",
                    "kind": "PodList" if name == "pods" else "List",
                    "metadata": {"resourceVersion": "1"},
                    "items": items,
                }
            )

    def do_POST(self) -> None:
        resource = self._body()
        if resource["kind"] == "Pod":
            resource = self.api.create(resource)
        self._answer(resource, 201)

    def do_PATCH(self) -> None:
        self._body()
        self._answer(self._pod(self.path.rsplit("/", 1)[-1]) or _status(404))

    def do_DELETE(self) -> None:
        self._body()
        self._answer(_status(200))

    def _record(self) -> None:
        url = urlsplit(self.path)
        # /api/v1/namespaces/NAMESPACE/KIND or …/KIND/NAME
        kind, *name = url.path.split("/")[5:]
        verb = _VERBS[self.command, bool(name)]
        self.api.requests.add(("watch" if "watch" in parse_qs(url.query) else verb, kind))

    def _pod(self, name: str) -> Resource | None:
        return self.api.pods.get(name)

    def _body(self) -> Resource:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return json.loads(content) if content else {}

    def _answer(self, resource: Resource, status: int = 200) -> None:
        self._record()
        content = json.dumps(resource).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _status(code: int) -> Resource:
    success = "Success" if code == 200 else "Failure"
    return {"apiVersion": "v1", "kind": "Status", "status": success, "code": code, "metadata": {}}


@contextmanager
def kubernetes_api(api: KubernetesApi) -> Iterator[str]:
    """Serve `api`; yields its address. At the end the containers are killed."""
    handler = type("Handler", (_Handler,), {"api": api})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        for process in api.processes:
            process.kill()
            process.wait()
