"""Secrets planted in addresses in every way: none is shown, whatever repeats them."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewise.foundations.passwords import hide_password, mask

HEAD, TAIL = "Xq7", "7qX"
SECRETS = st.text("ab:/?#&=@%{}'\\ +ü\n", max_size=8).map(lambda middle: f"{HEAD}{middle}{TAIL}")
ENCODED = [lambda s: quote(s, safe=""), lambda s: quote_plus(s), lambda s: quote(s, safe="").lower()]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("postgresql://me:a@b:c@host/d", "postgresql://me:***@host/d"),
        ("postgresql://me:a/b?c@host/d", "postgresql://me:***@host/d"),
        ("postgresql://me@home:pw@host/d", "postgresql://me@home:***@host/d"),
        ("--storage=postgresql://me:pw@host/d", "--storage=postgresql://me:***@host/d"),
        ("postgresql://me@host/d?user=x&password=pw&a=b", "postgresql://me@host/d?user=x&password=***&a=b"),
        ("postgresql://host:5432/d?password=a@b", "postgresql://host:***"),
        ("postgresql://h/d?pass%77ord=pw&sslpassword=p", "postgresql://h/d?pass%77ord=***&sslpassword=***"),
        ("postgresql://h/d?PASSWORD=pw&passfile=~/.pgpass", "postgresql://h/d?PASSWORD=***&passfile=~/.pgpass"),
        ("postgresql://me@host:5432/d", "postgresql://me@host:5432/d"),
        ("postgresql://me:@[::1]:5432/d", "postgresql://me:@[::1]:5432/d"),
        ("sqlite:///C:/me@home/t.db", "sqlite:///C:/me@home/t.db"),
        ("lstm@rows:layers=2", "lstm@rows:layers=2"),
        ("folder/a@b", "folder/a@b"),
    ],
)
def test_hiding(typed: str, shown: str) -> None:
    assert hide_password(typed) == shown


def addresses(secret: str) -> list[str]:
    """Wherever it may stand; as it is only where it can be."""
    forms = [encode(secret) for encode in ENCODED]
    found = [f"postgresql://me:{form}@h:5432/d" for form in [secret, *forms]]
    return found + [
        f"postgresql://me@h/d?{key}={form}&a=b" for key in ("password", "sslpassword") for form in forms
    ]


@given(secret=SECRETS)
def test_no_planted_secret_is_shown(secret: str) -> None:
    for address in addresses(secret):
        shown = hide_password(address)
        assert "***" in shown
        assert HEAD.upper() not in shown.upper(), address
        assert TAIL.upper() not in shown.upper(), address


def test_what_a_driver_takes_for_the_host_is_masked() -> None:
    said = "failed to resolve host 'heim@nohost.invalid'"
    assert mask(said, "postgresql://me:ge@heim@nohost.invalid/d") == "failed to resolve host '***@nohost.invalid'"


@given(secret=SECRETS)
def test_no_message_repeats_a_planted_secret(secret: str) -> None:
    doubled = secret.replace("{", "{{").replace("}", "}}")
    said = [secret, repr(secret), doubled, *(encode(secret) for encode in ENCODED)]
    message = "cannot open " + ", ".join(f"{form} (of me)" for form in said)
    for address in addresses(secret):
        masked = mask(message, address)
        assert masked.startswith("cannot open ")
        assert HEAD.upper() not in masked.upper(), (address, masked)
        assert TAIL.upper() not in masked.upper(), (address, masked)
