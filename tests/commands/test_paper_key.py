"""`zoe paper key` against a running exchange: make, show, use, forget; and its refusals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from program import Home, result_of
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.home import read_endpoint
from zoe_tools.paper.values.views import PERMISSIONS
from zoe_tools.runtime.paper_process import ensure_paper


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose exchange runs."""
    made = Home(folder=tmp_path_factory.mktemp("keys"))
    try:
        made.serve()
        asyncio.run(ensure_paper(made.folder))
        yield made
    finally:
        made.stop_exchange()


def known(home: Home) -> dict[str, Any]:
    """The keys by name."""
    return {row["name"]: row for row in result_of(home.here("--json", "paper", "key"))["keys"]}


def make(home: Home, *words: str) -> dict[str, Any]:
    """A key; what is told of it."""
    return dict(result_of(home.here("--json", "paper", "key", *words)))


def call(home: Home, key: dict[str, Any], name: str, nonce: int, **fields: str) -> Any:
    """A signed call over HTTP, with no client of ours."""
    endpoint = read_endpoint(home.folder / "paper")
    assert endpoint is not None
    path, body = f"/0/private/{name}", urlencode({"nonce": str(nonce), **fields}).encode()
    signature = sign(secret=key["api_secret"], path=path, body=body, nonce=str(nonce))
    request = Request(  # noqa: S310 - our own exchange on loopback
        f"{endpoint.rest_url}{path}",
        data=body,
        headers={"API-Key": key["api_key"], "API-Sign": signature},
    )
    with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
        return json.loads(answer.read())


def test_a_key_that_may_only_read_reads_and_does_nothing_else(home: Home) -> None:
    """It is listed without its secret, and denied what it was not given."""
    key = make(home, "reader", "--permission", "query-funds")

    assert call(home, key, "Balance", 1)["error"] == []
    assert call(home, key, "AddOrder", 2)["error"] == ["EGeneral:Permission denied"]
    row = known(home)["reader"]
    assert (row["permissions"], row["account"]) == (["query-funds"], "paper")
    assert key["api_secret"] not in home.here("--json", "paper", "key").out


def test_every_limit_arrives_at_the_exchange(home: Home) -> None:
    """The exchange's own answer tells of them; the client's address is the socket's."""
    words = "--nonce-window 5 --valid-for 600 --query-from 2026-01-05 --ip 127.0.0.1 --otp sesame"
    key = make(home, "narrow", *words.split())
    told = call(home, key, "GetApiKeyInfo", 9, otp="sesame")["result"]

    assert call(home, key, "Balance", 8, otp="sesame")["error"] == []
    assert call(home, key, "Balance", 10)["error"] == ["EGeneral:Permission denied"]
    assert (told["api_key_name"], told["nonce_window"]) == ("narrow", "5")
    assert (told["query_from"], told["ip_allowlist"]) == ("1767571200", ["127.0.0.1"])
    assert told["permissions"] == sorted(PERMISSIONS)
    assert int(told["valid_until"]) == int(told["created_time"]) + 600


def test_a_key_from_elsewhere_is_not_good_from_here(home: Home) -> None:
    """The exchange sees 127.0.0.1."""
    key = make(home, "away", "--ip", "10.0.0.0/8")

    assert call(home, key, "Balance", 1)["error"] == ["EGeneral:Permission denied"]


def test_accounts_stand_side_by_side_each_with_its_own_money(home: Home) -> None:
    """A new one is empty until it is given some."""
    key = make(home, "bob", "--owner", "bob", "--new-account", "--tier", "pro")
    home.here("paper", "fund", "USD", "25", "--owner", "bob", "--execute")
    second = make(home, "bob's reader", "--owner", "bob", "--permission", "query-funds")

    assert call(home, key, "Balance", 1)["result"] == {"ZUSD": "25.0000"}
    assert call(home, second, "Balance", 1)["result"] == {"ZUSD": "25.0000"}
    assert [known(home)[name]["tier"] for name in ("paper", "bob")] == ["", "pro"]
    assert known(home)["bob"]["account_id"] != known(home)["paper"]["account_id"]


def test_a_removed_key_is_unknown(home: Home) -> None:
    """By its name; its account stays."""
    key = make(home, "passing")
    assert call(home, key, "Balance", 1)["error"] == []
    ran = home.here("paper", "key", "passing", "--remove")

    assert (ran.code, "passing is forgotten" in ran.out) == (0, True)
    assert call(home, key, "Balance", 2)["error"] == ["EAPI:Invalid key"]
    assert "passing" not in known(home)


def test_people_are_told_the_secret_once_and_every_limit(home: Home) -> None:
    """The code's secret as well."""
    made = home.here("paper", "key", "phone", "--totp", "--valid-for", "60").out
    shown = home.here("paper", "key").out

    for words in ("Key phone", "api secret", "code's secret", "valid until"):
        assert words in made
    assert "phone, of paper" in shown
    assert "api secret" not in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--otp", "x"), "What is the key called?"),
        (("--remove",), "What is the key called?"),
        (("x", "--permission", "everything"), "no permission 'everything'"),
        (("x", "--ip", "home"), "ip_allowlist"),
        (("x", "--otp", "x", "--totp"), "otp"),
        (("x", "--query-from", "yesterday"), "query_from"),
        (("x", "--query-from", "1969-12-31"), "query_from"),
        (("x", "--query-to", "9999-12-31"), "query_to"),
        (("x", "--valid-for", "1e300"), "--valid-for"),
        (("x", "--valid-for", "inf"), "--valid-for"),
        (("x", "--nonce-window", str(2**63)), "nonce_window"),
        (("x", "--query-from", "2026-01-02", "--query-to", "2026-01-01"), "query_to"),
        (("x", "--owner", "nobody"), "no account 'nobody'"),
        (("x", "--new-account"), "owner"),
        (("x", "--owner", "paper", "--new-account"), "an account 'paper' already"),
        (("x", "--margin"), "has_margin"),
        (("x", "--tier", "pro"), "tier"),
        (("nobody's", "--remove"), "no key"),
        (("paper", "--remove"), "zoe's own key"),
        (("x", "--remove", "--totp"), "nothing else"),
    ],
)
def test_nonsense_is_refused_and_no_key_is_made(
    home: Home, words: tuple[str, ...], told: str
) -> None:
    """Exit 2."""
    before = known(home)
    ran = home.here("paper", "key", *words)

    assert (ran.code, told in ran.err) == (2, True)
    assert known(home).keys() == before.keys()


def test_a_key_is_called_as_no_other_is(home: Home) -> None:
    """Otherwise it could not be said which to remove."""
    make(home, "twin")
    ran = home.here("paper", "key", "twin")

    assert (ran.code, "there is a key 'twin' already" in ran.err) == (2, True)
