"""Addresses of databases, and texts about them, without what opens them."""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus, unquote, unquote_plus

SECRET_WORDS = ("pass", "word", "secret", "token")
"""An option of an address that has one of these in its name is taken for a secret: `password`, `sslpassword`,
`oauth_client_secret`, and what was meant to be one of them."""
PATHS = ("passfile",)
"""Such a name, but only where a secret lies."""


def hide_password(text: str) -> str:
    """An address without its password, wherever it stands in it; any other text as it is.

    Where an address can be read in several ways, all that may be a password is hidden.

    >>> hide_password("postgresql://me:secret@db.example/trials?sslpassword=too")
    'postgresql://me:***@db.example/trials?sslpassword=***'
    """
    shown, end = "", 0
    for first, last in _spans(text):
        if first >= end:
            shown += f"{text[end:first]}***"
        end = max(end, last)
    return shown + text[end:]


def mask(text: str, address: str) -> str:
    """A text, such as a driver's message, without the secrets of an address in whatever form it repeats them."""
    forms = {form for first, last in _spans(address) for form in _forms(address[first:last])}
    for form in sorted(forms, key=len, reverse=True):  # no form leaves the rest of a longer one behind
        text = re.sub(re.escape(form), "***", text, flags=re.IGNORECASE)  # %7b is %7B
    return text


def _spans(address: str) -> list[tuple[int, int]]:
    """Where the secrets of an address are, by their beginnings; they may overlap."""
    scheme, mark, rest = address.partition("://")
    start = len(scheme) + len(mark)
    found: list[tuple[int, int]] = []
    # To the last @: a password may hold one that ought to be %40. To the first: what SQLAlchemy takes for it.
    # Between the two: what a driver then takes for a part of the host, and says that it cannot find.
    patterns = (r"[^:]*:(.+)@", r"[^:]*:([^@]+)@", r"[^:]*:[^@]+@(.+)@")
    for pattern in () if scheme.endswith("sqlite") else patterns:
        found += [user.span(1) for user in [re.match(pattern, rest, flags=re.DOTALL)] if user]
    for option in re.finditer(r"[?&]([^=&?]*)=([^&]+)", rest):
        name = unquote_plus(option[1]).lower()
        if name not in PATHS and any(word in name for word in SECRET_WORDS):
            found.append(option.span(2))
    return sorted(((start + first, start + last) for first, last in found), key=lambda span: (span[0], -span[1]))


def _forms(secret: str) -> set[str]:
    """As it was typed, decoded, and encoded or escaped anew by a driver."""
    plain = {secret, unquote(secret), unquote_plus(secret)}
    forms = plain | {form for p in plain for form in (quote(p, safe=""), quote(p), quote_plus(p), repr(p)[1:-1])}
    forms |= {form.replace("\\", "\\\\").replace("'", "\\'") for form in plain}
    return forms | {form.replace("{", "{{").replace("}", "}}") for form in forms}  # Optuna's templates
