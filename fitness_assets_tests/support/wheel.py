"""An environment with the wheel of this checkout."""

import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def find_uv() -> str | None:
    """The uv that `make setup` uses."""
    return shutil.which("uv") or shutil.which(ROOT / ".uv" / "bin" / "uv")


def install(folder: Path) -> Path:
    """Build the wheel in `folder` and install it in an environment of its own, which is returned.

    The environment has the packages of this one, but not the checkout.
    """
    uv = find_uv()
    assert uv is not None
    subprocess.run([uv, "build", "--wheel", "--quiet", "--out-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-deps", "--python", python, wheel], check=True
    )
    (packages,) = environment.glob("lib/python*/site-packages")
    # Files .pth of a folder that a file .pth names are not read: the checkout is not imported.
    (packages / "packages.pth").write_text(sysconfig.get_path("purelib"))
    return environment
