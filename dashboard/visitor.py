"""Who visits the dashboard: the login, the connection, and so whose rows may be shown."""

import logging
from collections.abc import Mapping

import streamlit as st
from streamlit.errors import StreamlitAuthError

from dashboard import data
from fitness_assets.errors import SettingsError
from fitness_assets.settings import DashboardSettings
from fitness_assets.text import verbatim
from fitness_assets.web.access import Access, Connection, Identity, decide
from fitness_assets.web.gate import is_page_of_server
from fitness_assets.web.login_map import LoginMap, read_login_map

_log = logging.getLogger(__name__)


def is_on_foreign_page() -> bool:
    """Whether a page of another site opened this session, by DNS rebinding.

    `server.py` has refused such a session before. Streamlit itself accepts every name that leads
    to this machine.
    """
    headers = st.context.headers
    (host, *_) = [*headers.get_all("Host"), ""]
    site = data.settings().site
    return not all(is_page_of_server(each, host, site) for each in headers.get_all("Origin"))


def access() -> Access:
    """Whose rows of a private bundle the visitor may read, by the settings as they are now."""
    settings = data.settings()
    try:
        login_map = _login_map(settings)
    except SettingsError as error:
        # The message can name other people.
        _log.warning("FITNESS_LOGINS: %s", error)
        return Access(reason="The login map cannot be used; the dashboard's log says why.")
    return decide(
        has_provider=_auth() is not None,
        login_map=login_map,
        identity=_identity(),
        connection=_connection(settings),
    )


def login() -> None:
    """Buttons in the sidebar to log in and out, if a provider of logins is configured."""
    auth = _auth()
    if auth is None:
        return
    identity = _identity()
    if identity is not None:
        st.sidebar.caption(f"Logged in as {verbatim(identity.address)}.")
        st.sidebar.button("Log out", on_click=st.logout, icon=":material/logout:")
        return
    for provider in _providers(auth):
        name = "Log in" if provider is None else f"Log in with {provider}"
        st.sidebar.button(
            name, on_click=_log_in, args=(provider,), key=name, icon=":material/login:"
        )


def _log_in(provider: str | None) -> None:
    try:
        st.login(provider)
    except StreamlitAuthError as error:
        # Names missing keys of the secrets, and no values.
        st.error(" ".join(str(error).split()), icon=":material/settings:")


def _login_map(settings: DashboardSettings) -> LoginMap | None:
    return None if settings.logins is None else read_login_map(settings.logins)


def _auth() -> Mapping[str, object] | None:
    """The section for logins in Streamlit's secrets."""
    if not st.secrets.load_if_toml_exists() or "auth" not in st.secrets:
        return None
    section = st.secrets["auth"]
    return section if isinstance(section, Mapping) else {}


def _providers(auth: Mapping[str, object]) -> list[str | None]:
    """The names of the providers; None for the one that needs no name."""
    named = [name for name, value in auth.items() if isinstance(value, Mapping)]
    named = [name for name in named if name != "client_kwargs"]
    return [None] if "client_id" in auth or not named else [*named]


def _identity() -> Identity | None:
    return Identity.of(st.user.to_dict().items())


def _connection(settings: DashboardSettings) -> Connection:
    headers = st.context.headers
    return Connection(
        bind=st.get_option("server.address"),
        peer=st.context.ip_address,
        headers=tuple((name, value) for name in headers for value in headers.get_all(name)),
        site=settings.site,
    )
