"""Who may ask: signatures over the exact body, nonces that rise, permissions."""

from __future__ import annotations

import pytest

from paper_desk import API_KEY, RestDesk
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.values.views import PERMISSIONS

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
VECTORS = [
    (
        "/0/private/AddOrder",
        "1616492376594",
        "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==",
    ),
    (
        "/0/private/AddOrder",
        "1616492376594",
        (
            '{"nonce":"1616492376594","ordertype":"limit","pair":"XBTUSD","price":"37500",'
            '"type":"buy","volume":"1.25"}'
        ),
        "r/o+GpKxXjV/mls/r5CKLu5R+yzK5psqvQ4hXxMX1nzdxTBhV+ui82QGgPZMMitpFwCOAdPEZMmXgZxD2chJEg==",
    ),
    (
        "/0/private/AddOrder",
        "1700000000000",
        (
            "nonce=1700000000000&pair=XBTUSD&type=sell&ordertype=trailing-stop&price=%2B1.5%25"
            "&volume=0.01"
        ),
        "FHrarYrztU4xbzhAUeoRqGKe+P/cXPHzfMiLLG3brSeXwGIEYwu9XnWeFviiTFfeKs4+M4C4RQNdezZQJVAsNw==",
    ),
    (
        "/0/private/GetWebSocketsToken",
        "1700000000001",
        "nonce=1700000000001",
        "PiDRXIw2GJXY5AWqwAcILmc1/x4i/BZo+KjBPlQA+JmYw2K8Muc0DPzA8+xZVTCNZAFSobMoQG61KIiAh0rCPg==",
    ),
    (
        "/0/private/AddOrderBatch",
        "1700000000002",
        (
            '{"nonce":"1700000000002","pair":"XBTUSD","orders":[{"ordertype":"limit","type":"buy",'
            '"volume":"0.01","price":"20000"},{"ordertype":"limit","type":"sell","volume":"0.01",'
            '"price":"90000"}]}'
        ),
        "v0WvsMflj9SFgVgq53G+WtilWvEBjsV6J3ctGPeNbqxLKy0LZN1WOmBd58HyvlBRaLMiNVt05Ihv5gZPyftNiw==",
    ),
]


@pytest.mark.parametrize(("path", "nonce", "body", "expected"), VECTORS)
def test_the_known_signatures_are_what_the_server_computes(
    path: str, nonce: str, body: str, expected: str
) -> None:
    """The published vector and the four others of section 2.1."""
    assert sign(secret=SECRET, path=path, body=body.encode(), nonce=nonce) == expected


def _headers(signature: str) -> dict[str, str]:
    return {"api_key": "vector", "api_sign": signature}


def _vector_desk() -> RestDesk:
    desk = RestDesk()
    desk.exchange.create_account("vector", "vector", SECRET)
    return desk


def test_a_request_with_a_known_signature_gets_in() -> None:
    """Vector 4 is a whole request."""
    path, _, body, signature = VECTORS[3]
    answer = _vector_desk().raw("POST", path, body=body, **_headers(signature))

    assert (answer["error"], answer["result"]["expires"]) == ([], 900)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/0/private/GetWebSocketsToken", "nonce=1700000000001&x=1"),
        ("/0/private/GetWebSocketsToken", "nonce=1700000000002"),
        ("/0/private/Balance", "nonce=1700000000001"),
    ],
)
def test_another_body_or_path_under_the_same_signature_is_refused(path: str, body: str) -> None:
    """The signature covers the exact body and the path."""
    answer = _vector_desk().raw("POST", path, body=body, **_headers(VECTORS[3][3]))

    assert answer == {"error": ["EAPI:Invalid signature"]}


def test_unknown_and_missing_keys_are_refused() -> None:
    """Section 9."""
    desk = RestDesk()
    unknown = desk.raw("POST", "/0/private/Balance", body="nonce=1", api_key="x", api_sign="y")

    assert unknown == {"error": ["EAPI:Invalid key"]}
    assert desk.raw("POST", "/0/private/Balance", body="nonce=1") == {"error": ["EAPI:Invalid key"]}


@pytest.mark.parametrize("nonce", ["5", "4", "-1", "", "1.5", "abc", str(2**64)])
def test_a_nonce_that_does_not_rise_is_refused(nonce: str) -> None:
    """Strictly greater than the highest accepted so far, and a number of 64 bits."""
    desk = RestDesk()
    path = "/0/private/Balance"
    assert desk.signed(path, "nonce=5", "5")["error"] == []

    assert desk.signed(path, f"nonce={nonce}", nonce) == {"error": ["EAPI:Invalid nonce"]}
    assert desk.signed(path, "nonce=6", "6")["error"] == []


def test_a_nonce_is_spent_by_a_refused_request_too() -> None:
    """What was accepted once is used up, whatever came of it."""
    desk = RestDesk()
    path = "/0/private/QueryOrders"
    assert desk.signed(path, "nonce=9", "9")["error"] == ["EGeneral:Invalid arguments:txid"]

    assert desk.signed(path, "nonce=9", "9")["error"] == ["EAPI:Invalid nonce"]


def test_a_forged_signature_spends_no_nonce() -> None:
    """Otherwise a stranger could lock the key out."""
    desk = RestDesk()
    path = "/0/private/Balance"
    forged = desk.raw("POST", path, body="nonce=99", api_key=API_KEY, api_sign="forged")

    assert forged == {"error": ["EAPI:Invalid signature"]}
    assert desk.signed(path, "nonce=1", "1")["error"] == []


def test_json_bodies_are_signed_and_read_like_forms() -> None:
    """A number or a text as nonce, the whole text signed."""
    desk = RestDesk()
    path = "/0/private/Balance"
    kind = {"content_type": "application/json; charset=utf-8"}

    assert desk.signed(path, '{"nonce":7}', "7", **kind)["error"] == []
    assert desk.signed(path, '{"nonce":"8"}', "8", **kind)["error"] == []
    assert desk.signed(path, "[8]", "8", **kind) == {"error": ["EAPI:Bad request"]}


@pytest.mark.parametrize(
    ("name", "permission"),
    [
        ("Balance", "query-funds"),
        ("BalanceEx", "query-funds"),
        ("TradeVolume", "query-funds"),
        ("TradeBalance", "query-open-trades"),
        ("OpenOrders", "query-open-trades"),
        ("ClosedOrders", "query-closed-trades"),
        ("TradesHistory", "query-closed-trades"),
        ("QueryTrades", "query-closed-trades"),
        ("Ledgers", "query-ledger"),
        ("QueryLedgers", "query-ledger"),
        ("AddOrder", "modify-trades"),
        ("AmendOrder", "modify-trades"),
        ("GetWebSocketsToken", "create-ws-token"),
    ],
)
def test_a_key_without_the_permission_is_denied(name: str, permission: str) -> None:
    """The table of section 2.4; with every other permission."""
    desk = RestDesk(permissions=frozenset(PERMISSIONS) - {permission})

    assert desk.refusal(name) == "EGeneral:Permission denied"
    assert desk.private("GetApiKeyInfo")["permissions"] == sorted(set(PERMISSIONS) - {permission})


@pytest.mark.parametrize("name", ["CancelOrder", "CancelOrderBatch", "CancelAll"])
def test_cancelling_needs_one_of_two_permissions(name: str) -> None:
    """close-trades, or modify-trades."""
    neither = RestDesk(permissions=frozenset({"query-funds"}))
    either = RestDesk(permissions=frozenset({"modify-trades"}))

    assert neither.refusal(name) == "EGeneral:Permission denied"
    assert either.answer(name)["error"] != ["EGeneral:Permission denied"]


def test_a_token_is_good_for_900_seconds() -> None:
    """Section 2.6; what keeps it good for longer is a subscription, in the socket's own tests."""
    desk = RestDesk()
    token = desk.private("GetWebSocketsToken")["token"]
    desk.clock.ns += 900 * 10**9

    assert desk.exchange.account_by_token(token).account_id == desk.account_id
    desk.clock.ns += 10**9
    for each in (token, "nonsense"):
        with pytest.raises(Exception, match="ESession:Invalid session"):
            desk.exchange.account_by_token(each)
