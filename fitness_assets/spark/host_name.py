"""Whether the name of this machine resolves, which Spark requires with keys of AWS."""

import socket
from collections.abc import Mapping

from fitness_assets.errors import SettingsError

_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def require_host_name(environ: Mapping[str, str]) -> None:
    """Raise SettingsError if a JVM of Spark would not start with this environment.

    Spark passes such keys to Hadoop, which the platform does not use, with the address of the
    machine as their origin (``SparkHadoopUtil.appendS3CredentialsFromEnvironment``).
    """
    name = socket.gethostname()
    try:
        if environ.keys() >= _KEYS:
            socket.getaddrinfo(name, None)
    except OSError:
        raise SettingsError(
            f"the name of this machine, {name}, does not resolve, which Spark requires if "
            "AWS_ACCESS_KEY_ID is set: add it to /etc/hosts, or use a profile (AWS_PROFILE)"
        ) from None
