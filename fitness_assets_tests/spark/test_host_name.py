"""Machines whose name does not resolve."""

import socket
from typing import NoReturn

import pytest

from fitness_assets.errors import SettingsError
from fitness_assets.spark.host_name import require_host_name

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


def test_keys_in_variables_require_a_name_that_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object) -> NoReturn:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "gethostname", lambda: "b55509e4241a")
    with pytest.raises(SettingsError, match=r"b55509e4241a, does not resolve.*AWS_PROFILE"):
        require_host_name(KEYS)
    require_host_name({"AWS_PROFILE": "ours"})
    monkeypatch.undo()
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    require_host_name(KEYS)
