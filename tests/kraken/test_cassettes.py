"""The bytes of the client's requests, pinned by recorded conversations (`make cassettes`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import recorded
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

from zoe_tools.domain.identifiers import VenueOrderId
from zoe_tools.domain.order import OrderAmendment
from zoe_tools.kraken.spot import KrakenSpot
from zoe_tools.runtime.clocks import VirtualClock

NAMES = tuple(recorded.STORIES)
NONCE = re.compile(r'(?:^nonce=|^\{"nonce":"?)(\d+)')


def requests_of(name: str) -> list[Any]:
    """The recorded requests of a cassette."""
    text = (recorded.FOLDER / f"{name}.yaml").read_text("utf-8")
    requests, _ = deserialize(text, yamlserializer)
    return list(requests)


def signed_by_hand(request: Any) -> str:
    """`API-Sign` as kraken-spot section 2.1 has it, from the request's own path and body."""
    body = recorded.text_of(request)
    found = NONCE.match(body)
    assert found, body
    digest = hashlib.sha256((found.group(1) + body).encode()).digest()
    path = urlsplit(request.uri).path.encode()
    key = base64.b64decode(recorded.SECRET)
    return base64.b64encode(hmac.new(key, path + digest, hashlib.sha512).digest()).decode()


def header(request: Any, name: str) -> str | None:
    """A header's text, whatever the case of its name."""
    held = {each.lower(): text for each, text in request.headers.items()}
    return held.get(name.lower())


@pytest.mark.parametrize("name", NAMES)
def test_the_client_asks_what_was_recorded_and_nothing_else(name: str) -> None:
    """Method, path and decoded body are the recording's; every recorded request is made once."""
    cassette = recorded.play(name)

    assert cassette.play_count == len(cassette)
    assert cassette.all_played


@pytest.mark.parametrize("name", NAMES)
def test_every_private_request_carries_the_signature_of_its_bytes(name: str) -> None:
    """Live and recorded; a public one carries neither key nor signature."""
    live: list[tuple[Any, str | None, str | None]] = []

    def hear(request: Any) -> None:
        live.append((request, header(request, "API-Key"), header(request, "API-Sign")))

    recorded.play(name, hear=hear)
    kept = [(each, recorded.API_KEY, header(each, "API-Sign")) for each in requests_of(name)]

    assert live
    for request, key, sign in [*live, *kept]:
        if "/private/" in request.uri:
            assert (key, sign) == (recorded.API_KEY, signed_by_hand(request))
        else:
            assert sign is None


@pytest.mark.parametrize("name", NAMES)
def test_nonces_rise_within_a_conversation(name: str) -> None:
    """Strictly, in the order in which the requests were sent."""
    texts = [recorded.text_of(each) for each in requests_of(name)]
    nonces = [int(found.group(1)) for found in map(NONCE.match, texts) if found]

    assert nonces == sorted(set(nonces))


def test_a_request_that_differs_in_one_digit_is_refused() -> None:
    """The recordings would notice a changed parameter: none of them is ever made up."""

    async def other(venue: KrakenSpot, clock: VirtualClock) -> None:
        change = OrderAmendment(
            venue_order_id=VenueOrderId(amended["txid"]),
            symbol=recorded.BTC,
            limit_price=Decimal("31000.1"),
            quantity=Decimal("0.02"),
        )
        await venue.amend(change, deadline=clock.now() + timedelta(seconds=5))

    (amended,) = [recorded.said(each) for each in requests_of("orders") if "AmendOrder" in each.uri]

    with pytest.raises(CannotOverwriteExistingCassetteException, match=r"31000\.1"):
        recorded.play("orders", other)


def test_no_secret_is_in_the_recordings() -> None:
    """Neither key nor secret nor token; the words that stand for them are there instead."""
    texts = {path.name: path.read_text("utf-8") for path in recorded.FOLDER.glob("*.yaml")}
    forbidden = (recorded.API_KEY, recorded.SECRET, "authorization", "cookie", "password")
    found = [
        (name, word)
        for name, text in texts.items()
        for word in forbidden
        if word.lower() in text.lower()
    ]
    tokens = {each for text in texts.values() for each in re.findall(r'"token":"(.*?)"', text)}

    assert sorted(texts) == [f"{name}.yaml" for name in sorted(NAMES)]
    assert found == []
    assert tokens == {recorded.HIDDEN_TOKEN}
    for name in NAMES:
        keys = {header(each, "API-Key") for each in requests_of(name)}
        assert keys <= {None, recorded.HIDDEN_KEY}


def test_recording_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """Seed, time and key are fixed, so a diff after `make cassettes` is a change of the client."""
    for name in NAMES:
        first = recorded.record(name, tmp_path).read_bytes()
        again = recorded.record(name, tmp_path).read_bytes()

        assert first == again
