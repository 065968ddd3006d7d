"""Who may read rows of people in the dashboard. Pure: what is known of the visitor is given.

The default is that nobody may. `decide` is the only function that allows more.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fitness_assets.web.gate import is_loopback, parse_origin
from fitness_assets.web.login_map import LoginMap, normalized

_HOW = "an [auth] section in Streamlit's secrets.toml, and FITNESS_LOGINS (see docs/privacy.md)"
_NEEDS_LOGIN = (
    "Rows of people are shown without a login only to a browser on the dashboard's own machine, at "
    f"localhost. Elsewhere, configure a login: {_HOW}."
)
_HALF_CONFIGURED = f"The login is not complete. It needs both {_HOW}."
_LOG_IN = "Log in to see your own days."
_NOT_VERIFIED = "The provider of this login has not verified your e-mail address."
_NOT_LISTED = "Your e-mail address is not in the login map of this dashboard (FITNESS_LOGINS)."

#: Headers that proxies add to a request, besides all that begin with ``x-forwarded``.
_PROXY_HEADERS = {
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "x-real-ip",
}


@dataclass(frozen=True)
class Access:
    """Whose rows a visitor may read: by default nobody's.

    Attributes
    ----------
    everyone : bool
        Whether the visitor may read the rows of all users.
    user : str or None
        The one user whose rows the visitor may read, if not everyone's.
    reason : str
        One line that says why the visitor may read no rows.
    """

    everyone: bool = False
    user: str | None = None
    reason: str = _NEEDS_LOGIN

    @property
    def is_denied(self) -> bool:
        """Whether the visitor may read no rows."""
        return not self.everyone and self.user is None

    def allows(self, user: str) -> bool:
        """Whether the visitor may read the rows of `user`."""
        return self.everyone or (self.user is not None and self.user == user)


#: The access to rows that are in a release that anyone may read.
PUBLIC = Access(everyone=True, reason="")


@dataclass(frozen=True)
class Connection:
    """What the server knows of the connection of a visitor.

    Attributes
    ----------
    bind : str or None
        Address that the server is bound to; None for all addresses.
    peer : str or None
        Address of the client; None if it is a loopback address.
    headers : tuple of (str, str)
        Name and value of each header of the request.
    site : str or None
        Origin of the proxy in front of the server.
    """

    bind: str | None
    peer: str | None
    headers: tuple[tuple[str, str], ...]
    site: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether a browser on this machine made the connection, and no proxy.

        With a proxy on the same machine the peer is a loopback address for all visitors. So the
        server must be bound to a loopback address, without `site`; ``Host`` and ``Origin`` must
        be loopback names; and no header of a proxy may be there.
        """
        if self.site is not None or not _is_local(self.bind):
            return False
        if self.peer is not None and not is_loopback(self.peer):
            return False
        if any(_is_of_proxy(name) for name, _ in self.headers):
            return False
        hosts, origins = self._values("host"), self._values("origin")
        return (
            len(hosts) == 1
            and all(_is_local_origin(f"http://{host}") for host in hosts)
            and all(_is_local_origin(origin) for origin in origins)
        )

    def _values(self, wanted: str) -> list[str]:
        return [value for name, value in self.headers if name.lower() == wanted]


@dataclass(frozen=True)
class Identity:
    """A visitor who has logged in.

    Attributes
    ----------
    address : str
        E-mail address, as the provider of the login says.
    is_verified : bool
        Whether the provider has verified that the address is the visitor's.
    """

    address: str
    is_verified: bool

    @classmethod
    def of(cls, claims: Iterable[tuple[str, object]]) -> "Identity | None":
        """The identity in the claims of an ID token; None if nobody is logged in."""
        values = dict(claims)
        if values.get("is_logged_in") is not True:
            return None
        address = values.get("email")
        # Exactly true: a text such as "false" is not.
        return cls(
            address if isinstance(address, str) else "", values.get("email_verified") is True
        )


def decide(
    *,
    has_provider: bool,
    login_map: LoginMap | None,
    identity: Identity | None,
    connection: Connection,
) -> Access:
    """Whose rows of a private bundle a visitor may read.

    Parameters
    ----------
    has_provider : bool
        Whether a provider of logins is configured.
    login_map : LoginMap or None
        None if none is configured.
    identity : Identity or None
        None if the visitor is not logged in.
    connection : Connection
        Decides only if there is neither a provider nor a login map.
    """
    if login_map is None and not has_provider:
        return Access(everyone=True, reason="") if connection.is_loopback else Access()
    if login_map is None or not has_provider:
        return Access(reason=_HALF_CONFIGURED)
    if identity is None:
        return Access(reason=_LOG_IN)
    if not identity.is_verified:
        return Access(reason=_NOT_VERIFIED)
    address = normalized(identity.address)
    user = login_map.users.get(address) if address else None
    if address in login_map.analysts:
        return Access(everyone=True, reason="")
    return Access(user=user, reason="") if user else Access(reason=_NOT_LISTED)


def _is_of_proxy(header: str) -> bool:
    name = header.lower()
    return name in _PROXY_HEADERS or name.startswith("x-forwarded")


def _is_local(host: str | None) -> bool:
    return host is not None and (host.lower() == "localhost" or is_loopback(host))


def _is_local_origin(text: str) -> bool:
    origin = parse_origin(text)
    return origin is not None and _is_local(origin[1])
