"""Who may come in: by which name the server is called, from which page, with which token.

A page of another site can make a browser send requests here, even under its own name when that name is made to
point to 127.0.0.1 (DNS rebinding). So the name in `Host` must be ours, and `Origin`, where there is one, the same.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from linewise.serve.errors import Refused
from linewise.serve.settings import Settings

LOOPBACK = ("localhost", "127.0.0.1", "::1")
WITHOUT_TOKEN = ("/live", "/ready")
_AUTHORITY = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")


def host_name(authority: str) -> str | None:
    """The name in a `Host` header, lower case, without port and brackets; None where it is none.

    >>> host_name("LOCALHOST:8000"), host_name("[::1]:8000"), host_name("a@b")
    ('localhost', '::1', None)
    """
    found = _AUTHORITY.fullmatch(authority.lower())
    return found["name"].strip("[]") if found else None


def is_loopback(address: str) -> bool:
    """Whether an address or name reaches this machine only."""
    if address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class Doors:
    """The checks that every request passes, whatever its method."""

    def __init__(self, settings: Settings) -> None:
        self._names = {name.lower() for name in (*LOOPBACK, settings.host, *settings.names)}
        self._any_address = not is_loopback(settings.host)
        self._token = settings.token.encode()
        self.cookie = f"linewise_{settings.port}"

    def check_names(self, headers: Headers) -> None:
        """Refuse a foreign `Host` with 421 and a foreign `Origin` with 403."""
        hosts = headers.getlist("host")
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None or not self._ours(name):
            raise Refused(421, "Foreign host", "The Host header names another server.")
        here = hosts[0].lower()
        for origin in headers.getlist("origin"):
            if origin.lower() not in (f"http://{here}", f"https://{here}"):
                raise Refused(403, "Foreign origin", "Only the server's own pages may send this.")
        site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "")
        if site not in ("same-origin", "none") and mode != "navigate":
            raise Refused(403, "Foreign origin", "Only the server's own pages may send this.")

    def _ours(self, name: str) -> bool:
        if name in self._names:
            return True
        if not self._any_address:
            return False
        try:  # nobody can make an address point elsewhere
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def check_token(self, headers: Headers, path: str) -> None:
        """Refuse with 401 what shows neither the token nor the cookie that stands for it."""
        if not self._token or path in WITHOUT_TOKEN:
            return
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(shown.strip()):
            return
        kept = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        if hmac.compare_digest(kept.encode(), self.cookie_value().encode()):
            return
        raise Refused(
            401,
            "Token needed",
            "Send it as `Authorization: Bearer TOKEN`, or open the page once with ?token=TOKEN.",
            {"WWW-Authenticate": 'Bearer realm="linewise"'},
        )

    def enters(self, path: str, query: bytes) -> bool:
        """Whether this request opens the page with the right token in its address."""
        if not self._token or path != "/" or not query.startswith(b"token="):
            return False
        return self._is_token(parse_qs(query.decode("latin-1")).get("token", [""])[0])

    def _is_token(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode(), self._token)

    def cookie_value(self) -> str:
        """What the browser keeps in place of the token: other servers of this machine get to see cookies."""
        return hmac.new(self._token, b"linewise page", hashlib.sha256).hexdigest()
