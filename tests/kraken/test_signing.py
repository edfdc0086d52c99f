"""The request signature, against the published vector and four others."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kraken_answers as kraken
from zoe_tools.errors import ConfigError
from zoe_tools.kraken.signing import FORM, JSON, encoded, secret_bytes, signature

VECTORS = {
    "published": (
        "/0/private/AddOrder",
        "1616492376594",
        "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==",
    ),
    "JSON body": (
        "/0/private/AddOrder",
        "1616492376594",
        (
            '{"nonce":"1616492376594","ordertype":"limit","pair":"XBTUSD","price":"37500",'
            '"type":"buy","volume":"1.25"}'
        ),
        "r/o+GpKxXjV/mls/r5CKLu5R+yzK5psqvQ4hXxMX1nzdxTBhV+ui82QGgPZMMitpFwCOAdPEZMmXgZxD2chJEg==",
    ),
    "escapes": (
        "/0/private/AddOrder",
        "1700000000000",
        (
            "nonce=1700000000000&pair=XBTUSD&type=sell&ordertype=trailing-stop&price=%2B1.5%25"
            "&volume=0.01"
        ),
        "FHrarYrztU4xbzhAUeoRqGKe+P/cXPHzfMiLLG3brSeXwGIEYwu9XnWeFviiTFfeKs4+M4C4RQNdezZQJVAsNw==",
    ),
    "nonce only": (
        "/0/private/GetWebSocketsToken",
        "1700000000001",
        "nonce=1700000000001",
        "PiDRXIw2GJXY5AWqwAcILmc1/x4i/BZo+KjBPlQA+JmYw2K8Muc0DPzA8+xZVTCNZAFSobMoQG61KIiAh0rCPg==",
    ),
    "nested JSON": (
        "/0/private/AddOrderBatch",
        "1700000000002",
        (
            '{"nonce":"1700000000002","pair":"XBTUSD","orders":[{"ordertype":"limit","type":"buy",'
            '"volume":"0.01","price":"20000"},{"ordertype":"limit","type":"sell","volume":"0.01",'
            '"price":"90000"}]}'
        ),
        "v0WvsMflj9SFgVgq53G+WtilWvEBjsV6J3ctGPeNbqxLKy0LZN1WOmBd58HyvlBRaLMiNVt05Ihv5gZPyftNiw==",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_defect_22_the_signature_is_the_venues(name: str) -> None:
    """Every vector of kraken-spot section 2.1, the published one among them."""
    path, nonce, body, expected = VECTORS[name]

    actual = signature(path=path, nonce=nonce, body=body, secret=secret_bytes(kraken.SECRET))

    assert expected == actual


def test_vector_1_the_inner_digest_is_over_nonce_and_body() -> None:
    """Vector 1a: the SHA-256 that the signature is taken over."""
    _, nonce, body, _ = VECTORS["published"]

    actual = hashlib.sha256((nonce + body).encode()).hexdigest()

    assert actual == "23a1c1b34c6a11d641af0f24684896cb90f66fb991125c83dc357bdc3dc146f1"


def test_the_form_body_is_the_one_that_was_signed_in_the_vectors() -> None:
    """Plus and percent are escaped, the nonce stands first, the order of parameters is kept."""
    params = {
        "pair": "XBTUSD",
        "type": "sell",
        "ordertype": "trailing-stop",
        "price": "+1.5%",
        "volume": "0.01",
    }

    assert encoded("1700000000000", params) == (VECTORS["escapes"][2], FORM)
    assert encoded("1700000000001", {}) == (VECTORS["nonce only"][2], FORM)


def test_lists_make_the_body_json() -> None:
    """The batch methods are documented with JSON bodies only."""
    assert encoded("7", {"orders": ["OA", "OB"]}) == ('{"nonce":"7","orders":["OA","OB"]}', JSON)


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_whatever_the_parameters_say_arrives_as_it_was_said(params: dict[str, str]) -> None:
    """A form body read back gives the parameters."""
    params.pop("nonce", None)
    body, _ = encoded("1", params)

    assert {"nonce": "1", **params} == dict(parse_qsl(body, keep_blank_values=True))


@pytest.mark.parametrize("text", ["", "no base64!", "abcde", "ÄÖÜ="])
def test_a_secret_that_is_not_base64_is_a_setting_to_fix(text: str) -> None:
    """The error names the setting and shows nothing of the secret."""
    with pytest.raises(ConfigError, match="KRAKEN_API_SECRET") as raised:
        secret_bytes(text)

    assert not text or text not in raised.value.message
