from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.datastructures import Headers

from linewise.serve.doors import Doors, host_name, is_loopback
from linewise.serve.errors import Refused
from linewise.serve.settings import Settings

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]
PATHS = ["/", "/v1/models", "/v1/predict", "/live", "/metrics", "/docs", "/openapi.json", "/nothing"]
TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost:8000",
        "127.0.0.1:8000",
        "127.0.0.1",
        "[::1]:8000",
        "[::1]",
        "localhost:1",
    ],
)
def test_the_names_of_this_machine_are_let_in(client: Any, host: str) -> None:
    assert client.get("/live", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "localhost.",
        "localhost@evil.example", "evil.example#localhost", "localhost:8000:8000", "localhost:", "::1", "[::1", "",
        "0.0.0.0", "192.168.1.5:8000", "127.0.0.2", "[::ffff:127.0.0.1]", "localhost:99999999", "localhost/x", "2130706433",
        "localhost, evil.example", "l\xd0\xbecalhost",
    ],
)  # fmt: skip
def test_any_other_name_is_refused(client: Any, host: str) -> None:
    response = client.get("/live", headers={"Host": host.encode("latin-1")})
    assert (response.status_code, response.json()["title"]) == (421, "Foreign host")


@pytest.mark.parametrize("method", METHODS)
def test_a_foreign_host_or_origin_is_refused_on_every_method_and_path(client: Any, method: str) -> None:
    for path in PATHS:
        foreign = client.request(method, path, headers={"Host": "evil.example"})
        assert foreign.status_code == 421, path
        origins = ["http://evil.example", "null", "http://localhost:3000", "http://127.0.0.1:8000", "file://", ""]
        for origin in origins:
            found = client.request(method, path, headers={"Origin": origin})
            assert found.status_code == 403, (path, origin)
        for site in ("cross-site", "same-site"):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
            assert client.request(method, path, headers=headers).status_code == 403, (path, site)
        assert "access-control-allow-origin" not in foreign.headers


def test_its_own_page_and_a_link_to_it_are_let_in(client: Any) -> None:
    own = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin", "Host": "localhost:8000"}
    assert client.get("/v1/models", headers=own).status_code == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200


def test_a_server_for_other_machines_takes_addresses_and_given_names() -> None:
    doors = Doors(Settings(host="0.0.0.0", token=TOKEN, names=("digits.example",)))
    for host in ("192.168.1.5:8000", "[2001:db8::1]:80", "digits.example", "Digits.Example:443", "localhost"):
        doors.check_names(Headers({"host": host}))
    for host in ("evil.example", "digits.example.evil.example"):
        with pytest.raises(Refused):
            doors.check_names(Headers({"host": host}))
    doors.check_names(Headers({"host": "digits.example", "origin": "https://digits.example"}))


def test_two_hosts_are_none() -> None:
    two = Headers(raw=[(b"host", b"localhost"), (b"host", b"evil.example")])
    with pytest.raises(Refused):
        Doors(Settings()).check_names(two)


@pytest.mark.parametrize(
    ("address", "inside"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("192.168.0.1", False), ("::", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_what_stays_on_this_machine(address: str, inside: bool) -> None:
    assert is_loopback(address) == inside


def test_host_names_are_read_without_port() -> None:
    assert host_name("[2001:DB8::1]:80") == "2001:db8::1"
    assert host_name("a b") is None


def test_a_token_is_asked_for_everywhere_but_by_health_checks(open_client: Callable[..., Any]) -> None:
    client = open_client(token=TOKEN)
    for path in PATHS:
        without = client.get(path)
        assert without.status_code == (200 if path == "/live" else 401), path
        if path != "/live":
            assert without.headers["www-authenticate"].startswith("Bearer")
            assert TOKEN not in without.text
    for wrong in ("Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer ü"):
        assert client.get("/v1/models", headers={"Authorization": wrong.encode()}).status_code == 401, wrong
    assert client.get("/v1/models", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200


def test_the_page_takes_the_token_from_its_address_once_and_keeps_another_value(
    open_client: Callable[..., Any],
) -> None:
    client = open_client(token=TOKEN)
    assert client.get("/?token=wrong").status_code == 401
    entered = client.get(f"/?token={TOKEN}")
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    cookie = entered.headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert client.get("/v1/models").status_code == 200  # by the cookie
    assert client.get("/v1/models", headers={"Origin": "http://evil.example"}).status_code == 403
    client.cookies.clear()
    assert client.get("/v1/models").status_code == 401
