"""The scripts of the repository, with programs in place of those that need a network."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PINNED = re.compile(r"[a-z0-9./-]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}")


def write_program(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def copy(name: str, folder: Path) -> Path:
    """Copy a file of the repository below `folder`."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(ROOT / name, target))


#: What the audit reports by the status of uv; 2: the advisory database cannot be reached.
VULNERABILITIES = {0: "none known", 1: "see above", 2: "NOT CHECKED", 127: "see above"}
SECRETS = {0: "none found", 1: "see above"}


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
@pytest.mark.parametrize(
    ("uv", "hook", "status"),
    [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 0, 2), (2, 1, 1), (127, 0, 127)],
)
def test_both_halves_of_the_audit_run_and_are_reported(
    tmp_path: Path, uv: int, hook: int, status: int
) -> None:
    write_program(tmp_path / "uv", f'echo "uv $*" >> called; exit {uv}')
    write_program(
        tmp_path / ".venv/bin/detect-secrets-hook", f'echo "hook $*" >> called; exit {hook}'
    )
    (tmp_path / "settings.py").touch()
    for command in (["git", "init", "-q"], ["git", "add", "settings.py"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    audit = subprocess.run(
        [ROOT / "scripts" / "audit", tmp_path / "uv"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert audit.returncode == status
    called = (tmp_path / "called").read_text().splitlines()
    assert [line.split()[0] for line in called] == ["uv", "hook"]
    assert called[0] == "uv audit --locked"
    assert "settings.py" in called[1]
    first, second = audit.stdout.splitlines()
    assert first.startswith(f"vulnerabilities: {VULNERABILITIES[uv]}")
    assert second == f"secrets: {SECRETS[hook]}"


def images() -> list[str]:
    """The images of other publishers in compose.yaml."""
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    services = compose["services"].values()
    built = {service["image"] for service in services if "build" in service}
    bases = {service["build"]["args"]["BASE_IMAGE"] for service in services if "build" in service}
    return sorted(bases | {service["image"] for service in services} - built)


def test_every_image_is_pinned_by_its_digest() -> None:
    assert len(images()) >= 3
    assert all(PINNED.fullmatch(image) for image in images())


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_the_dockerfile_builds_on_the_tag_that_is_pinned() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - stages
    assert bases == {"${BASE_IMAGE}"}
    (default,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", text, re.MULTILINE)
    pinned = [image for image in images() if image.startswith(f"{default}@sha256:")]
    assert len(pinned) == 1
    for target, name in (("", "fitness-assets"), ("dashboard", "fitness-dashboard")):
        make = subprocess.run(
            ["make", "--dry-run", "image", f"TARGET={target}"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        assert f"--build-arg BASE_IMAGE={pinned[0]} " in make.stdout
        assert f"--tag {name} ." in make.stdout


def pin(folder: Path, docker: str) -> subprocess.CompletedProcess[str]:
    """Run `scripts/pin-images` on a copy of the files, with this body of `docker`."""
    script = copy("scripts/pin-images", folder)
    copy("deploy/compose.yaml", folder)
    write_program(folder / "bin" / "docker", docker)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [script], check=False, capture_output=True, text=True, env=os.environ | {"PATH": path}
    )


def test_the_current_digests_replace_those_of_all_images(tmp_path: Path) -> None:
    docker = 'printf "sha256:%s\\n" "$(printf %s "$6" | sha256sum | cut -c1-64)"'
    run = pin(tmp_path, docker)
    assert run.returncode == 0, run.stderr
    before = (ROOT / "deploy" / "compose.yaml").read_text()
    after = (tmp_path / "deploy" / "compose.yaml").read_text()
    assert PINNED.sub("", after) == PINNED.sub("", before)
    old, new = PINNED.findall(before), PINNED.findall(after)
    assert [each.partition("@")[0] for each in old] == [each.partition("@")[0] for each in new]
    assert not set(old) & set(new)
    assert sorted(run.stdout.split()) == sorted(set(new))


@pytest.mark.parametrize("docker", ["exit 1", "echo", "echo sha256:0", "echo 'not found'"])
def test_without_the_digest_of_each_image_nothing_is_changed(tmp_path: Path, docker: str) -> None:
    assert pin(tmp_path, docker).returncode != 0
    after = (tmp_path / "deploy" / "compose.yaml").read_text()
    assert after == (ROOT / "deploy" / "compose.yaml").read_text()


#: Docker that records its arguments. A build writes a digest; an inspection prints one.
DOCKER = """
echo "$*" >> "$LOG"
while [ $# -gt 1 ]; do
	[ "$1" = --metadata-file ] && echo '  "containerimage.digest": "'$DIGEST'",' > "$2"
	[ "$1" = --format ] && echo "$DIGEST"
	shift
done
exit 0
"""


def test_images_of_several_processors_are_tagged_as_one(tmp_path: Path) -> None:
    script = copy("scripts/publish-images", tmp_path)
    copy("deploy/compose.yaml", tmp_path)
    write_program(tmp_path / "bin" / "docker", DOCKER)
    log = tmp_path / "log"

    def run(step: str, processor: str, digest: str) -> "subprocess.CompletedProcess[str]":
        write_program(tmp_path / "bin" / "uname", f"echo {processor}")
        return subprocess.run(
            [script, step, "digests"],
            env={
                "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                "LOG": str(log),
                "DIGEST": digest,
                "GITHUB_REF_NAME": "v1.2.3",
                "GITHUB_REPOSITORY_OWNER": "Someone",
            },
            check=False,
            capture_output=True,
            text=True,
        )

    of_one, of_other, of_both = (f"sha256:{digit * 64}" for digit in "123")
    assert run("push", "x86_64", of_one).returncode == 0
    assert run("push", "aarch64", of_other).returncode == 0
    builds = [line for line in log.read_text().splitlines() if " build " in line]
    assert len(builds) == 4
    assert all(
        PINNED.search(build) and "push-by-digest=true" in build and "--sbom true" in build
        for build in builds
    )
    outputs = run("tag", "x86_64", of_both).stdout.splitlines()
    assert outputs == [
        "platform_name=ghcr.io/someone/fitness-assets",
        f"platform_digest={of_both}",
        "dashboard_name=ghcr.io/someone/fitness-dashboard",
        f"dashboard_digest={of_both}",
    ]
    name = "ghcr.io/someone/fitness-assets"
    tagged = [line for line in log.read_text().splitlines() if "imagetools create" in line]
    assert tagged[0].endswith(f"--tag {name}:1.2.3 {name}@{of_other} {name}@{of_one}")
    # A build without a digest is not published.
    assert run("push", "x86_64", "").returncode != 0
