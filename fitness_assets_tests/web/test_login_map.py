"""The login map: what it says, and how an entry that cannot be used is reported."""

from pathlib import Path

import pytest

from fitness_assets.errors import SettingsError
from fitness_assets.web.login_map import LoginMap, read_login_map


def test_addresses_are_compared_in_lower_case(tmp_path: Path) -> None:
    path = tmp_path / "logins.toml"
    path.write_text(
        'analysts = ["Ben@Example.org"]\n[users]\n"Anna@example.org" = " p-1 "\n'
        '"anna+2@example.org" = "p-1"\n'
    )
    users = {"anna@example.org": "p-1", "anna+2@example.org": "p-1"}
    assert read_login_map(path) == LoginMap(users, frozenset({"ben@example.org"}))


def test_an_empty_map_lists_nobody(tmp_path: Path) -> None:
    path = tmp_path / "logins.toml"
    path.write_text("")
    assert read_login_map(path) == LoginMap({}, frozenset())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[users\n", "is not TOML"),
        ("[users]\na = '1'\n", "'a', which is not an e-mail address"),
        ("[user]\n", "has 'user'"),
        ("users = ['a@b.c']", "`users` is not a table"),
        ("analysts = 'a@b.c'", "`analysts` is not a list"),
        ("analysts = [1]", "`analysts` has 1, which"),
        ("analysts = ['a b@c.d']", "not an e-mail address"),
        ("[users]\n'a@b.c' = ''", "no user id for 'a@b.c'"),
        ("[users]\n'a@b.c' = ['p-1', 'p-2']", "no user id for 'a@b.c'"),
        ("[users]\n'a@b.c' = '1'\n'A@b.c' = '2'", "'a@b.c' twice"),
        ("[users]\n'ä@b.c' = '1'", "of ASCII characters"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "logins.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as raised:
        read_login_map(path)
    assert error in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_map_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing.toml cannot be read: No such file"):
        read_login_map(tmp_path / "missing.toml")
    (tmp_path / "latin").write_bytes(b"# \xe4")
    with pytest.raises(SettingsError, match="is not TOML"):
        read_login_map(tmp_path / "latin")
