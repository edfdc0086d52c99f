"""What a key may: permissions, nonces, a second factor, addresses, dates; and who is locked out."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from paper_desk import API_KEY, RestDesk, ScriptedSource, StandingClock, ask_for, d
from zoe_tools.paper.exchange.exchange import ExchangeOptions, PaperExchange
from zoe_tools.paper.exchange.keys import sign
from zoe_tools.paper.exchange.state import StateFile
from zoe_tools.paper.rest.dialect import _ENDPOINTS, RestDialect, RestRequest
from zoe_tools.paper.values.key_terms import KeyTerms, totp_codes
from zoe_tools.paper.values.quirks import Quirks
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.times import NS
from zoe_tools.paper.values.views import ALL_PERMISSIONS, PERMISSIONS

KEY, SECRET = "limited", base64.b64encode(b"the limited key's").decode()
DENIED, BAD_NONCE = "EGeneral:Permission denied", "EAPI:Invalid nonce"
LOCKED = "EGeneral:Temporary lockout"
TOTP = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""The secret of RFC 6238's test vectors, in base32."""


class KeyDesk:
    """One exchange, and calls with a key of given terms."""

    def __init__(
        self,
        terms: KeyTerms = KeyTerms(),  # noqa: B008 - frozen
        *,
        permissions: frozenset[str] = frozenset(PERMISSIONS),
        options: ExchangeOptions | None = None,
        state: StateFile | None = None,
    ) -> None:
        self.desk = RestDesk(options=options, state=state)
        self.clock = self.desk.clock
        self.nonce = 0
        self.desk.exchange.add_key(self.desk.account_id, KEY, SECRET, permissions, terms)

    def whole(
        self,
        name: str,
        *,
        nonce: int | None = None,
        client: str = "127.0.0.1",
        secret: str = SECRET,
        api_key: str = KEY,
        **fields: str,
    ) -> Mapping[str, Any]:
        """The answer of a signed call."""
        if nonce is None:
            nonce = self.nonce = self.nonce + 1
        path, text = f"/0/private/{name}", str(nonce)
        body = urlencode({"nonce": text, **fields}).encode()
        signature = sign(secret=secret, path=path, body=body, nonce=text)
        request = RestRequest(
            method="POST",
            path=path,
            query="",
            headers={"api-key": api_key, "api-sign": signature},
            body=body,
            client=client,
        )
        answer: Mapping[str, Any] = json.loads(self.desk.dialect.answer(request))
        return answer

    def error(self, name: str, **more: Any) -> str:
        """The one error, or "" of a call that is answered."""
        return "".join(self.whole(name, **more)["error"])


# permissions
_ALSO = {"DepositMethods": frozenset({"add-funds"})}
"""What needs two permissions at once."""


@pytest.mark.parametrize("name", sorted(_ENDPOINTS))
def test_every_endpoint_lets_in_by_each_of_its_permissions_and_by_no_other(name: str) -> None:
    """Section 2.4: GetApiKeyInfo alone needs none."""
    _, needed = _ENDPOINTS[name]
    others = frozenset(ALL_PERMISSIONS) - set(needed)
    too = _ALSO.get(name, frozenset())
    denied = {
        one: KeyDesk(permissions=frozenset({one, *too})).error(name) == DENIED for one in needed
    }

    assert denied == dict.fromkeys(needed, False)
    assert (KeyDesk(permissions=others).error(name) == DENIED) is bool(needed)
    assert needed or name == "GetApiKeyInfo"


# nonces
@pytest.mark.parametrize(
    ("window", "nonces", "accepted"),
    [
        (0, [5, 6, 6, 5, 7], [5, 6, 7]),
        (3, [10, 8, 9, 8, 7, 11, 10, 9], [10, 8, 9, 11]),
        (3, [2, 1, 0, 1], [2, 1]),
        (1, [10, 9, 11], [10, 11]),
        (1000, [10, 2000, 1000, 1001], [10, 2000, 1001]),
    ],
)
def test_a_nonce_may_come_late_within_its_keys_window_but_never_twice(
    window: int, nonces: list[int], accepted: list[int]
) -> None:
    """Section 2.2: without a window strictly greater than the highest."""
    desk = KeyDesk(KeyTerms(nonce_window=window))
    good = [nonce for nonce in nonces if desk.error("Balance", nonce=nonce) != BAD_NONCE]

    assert good == accepted


def test_a_window_larger_than_its_memory_lets_no_nonce_in_twice() -> None:
    """What is not remembered any more counts as spent."""
    desk = KeyDesk(KeyTerms(nonce_window=10**6))
    for nonce in range(2, 2204, 2):
        assert desk.error("Balance", nonce=nonce) == ""

    assert desk.error("Balance", nonce=3) == BAD_NONCE
    assert desk.error("Balance", nonce=2201) == ""
    assert desk.error("Balance", nonce=2201) == BAD_NONCE


def test_nonces_are_spent_for_good_over_a_restart(tmp_path: Path) -> None:
    """The highest, and with a window those below it."""
    desk = KeyDesk(KeyTerms(nonce_window=5), state=StateFile(tmp_path / "state.sqlite"))
    for nonce in (10, 8):
        assert desk.error("Balance", nonce=nonce) == ""
    again = PaperExchange(
        ScriptedSource(), desk.clock, state=StateFile(tmp_path / "state.sqlite"), seed=7
    )
    desk.desk.dialect = RestDialect(again)

    assert [desk.error("Balance", nonce=nonce) for nonce in (10, 8, 5, 9)] == [
        BAD_NONCE,
        BAD_NONCE,
        BAD_NONCE,
        "",
    ]


# expiry, addresses, the second factor
def test_a_key_is_unknown_once_it_has_expired() -> None:
    """Section 2.4."""
    desk = KeyDesk()
    desk = KeyDesk(KeyTerms(valid_until=desk.clock.ns + 10 * NS))
    before = desk.error("Balance")
    desk.clock.ns += 10 * NS

    assert (before, desk.error("Balance")) == ("", "EAPI:Invalid key")


@pytest.mark.parametrize(
    ("allowed", "client", "error"),
    [
        (("127.0.0.1",), "127.0.0.1", ""),
        (("10.0.0.0/8", "::1"), "10.1.2.3", ""),
        (("10.0.0.0/8", "::1"), "::1", ""),
        (("10.0.0.0/8", "::1"), "127.0.0.1", DENIED),
        (("127.0.0.1",), "", DENIED),
        ((), "", ""),
    ],
)
def test_a_key_with_addresses_is_good_from_those_alone(
    allowed: tuple[str, ...], client: str, error: str
) -> None:
    """Addresses and networks; a denied call spends no nonce."""
    desk = KeyDesk(KeyTerms(ip_allowlist=allowed))

    assert desk.error("Balance", nonce=1, client=client) == error
    assert desk.desk.exchange.nonce_of(KEY) == (0 if error else 1)


@pytest.mark.parametrize(
    ("terms", "otp", "error"),
    [
        (KeyTerms(otp="open sesame"), "open sesame", ""),
        (KeyTerms(otp="open sesame"), "sesame", "EAPI:Invalid signature"),
        (KeyTerms(otp="open sesame"), None, DENIED),
        (KeyTerms(totp=TOTP), "000000", "EAPI:Invalid signature"),
        (KeyTerms(totp=TOTP), None, DENIED),
        (KeyTerms(otp="open sesame"), "säsam", "EAPI:Invalid signature"),
        (KeyTerms(), "not needed", ""),
    ],
)
def test_a_key_with_a_second_factor_wants_it_in_every_call(
    terms: KeyTerms, otp: str | None, error: str
) -> None:
    """Section 2.3; the words are those that clients have reported."""
    fields = {} if otp is None else {"otp": otp}

    assert KeyDesk(terms).error("Balance", **fields) == error


def test_a_second_factor_that_is_no_text_at_all_is_wrong() -> None:
    """Half a surrogate in a JSON body."""
    desk = KeyDesk(KeyTerms(otp="open sesame"))
    path, body = "/0/private/Balance", '{"nonce":1,"otp":"\\ud800"}'
    signed = sign(secret=SECRET, path=path, body=body.encode(), nonce="1")
    kind = {"content_type": "application/json"}
    answer = desk.desk.raw("POST", path, body=body, api_key=KEY, api_sign=signed, **kind)

    assert answer == {"error": ["EAPI:Invalid signature"]}


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_changing_password_is_that_of_the_standard(second: int, code: str) -> None:
    """RFC 6238, appendix B (SHA-1, the last six digits)."""
    assert totp_codes(TOTP, second * NS)[1] == code


def test_a_changing_password_is_good_half_a_minute_too_early_or_too_late() -> None:
    """One step of drift, no more."""
    desk = KeyDesk(KeyTerms(totp=TOTP))
    codes = [totp_codes(TOTP, desk.clock.ns + drift * 30 * NS)[1] for drift in range(-2, 3)]

    assert [desk.error("Balance", otp=code) for code in codes] == [
        "EAPI:Invalid signature",
        "",
        "",
        "",
        "EAPI:Invalid signature",
    ]


# what a key may look back at
def _with_history() -> tuple[KeyDesk, list[int]]:
    """A ledger of three deposits beside the first two, ten seconds apart; their times."""
    desk = KeyDesk()
    times = []
    for _ in range(3):
        desk.clock.ns += 10 * NS
        times.append(desk.clock.ns)
        desk.desk.exchange.deposit(desk.desk.account_id, "USD", d("1"))
    return desk, times


def _limit(desk: KeyDesk, **terms: Any) -> None:
    exchange = desk.desk.exchange
    exchange.remove_key(KEY)
    exchange.add_key(desk.desk.account_id, KEY, SECRET, terms=KeyTerms(**terms))


def test_a_key_with_query_dates_sees_only_the_records_in_between() -> None:
    """Both bounds included; by id as well."""
    desk, times = _with_history()
    everything = desk.whole("Ledgers")["result"]["ledger"]
    _limit(desk, query_from=times[0], query_to=times[1])
    seen = desk.whole("Ledgers")["result"]
    ids = ",".join(everything)
    by_id = desk.whole("QueryLedgers", id=ids)["result"]

    assert (len(everything), seen["count"], len(by_id)) == (5, 2, 2)
    assert sorted(row["time"] for row in by_id.values()) == [at / NS for at in times[:2]]


def test_a_key_with_query_dates_finds_no_trade_or_closed_order_outside_by_its_id() -> None:
    """Open orders are always there to be seen."""
    desk = KeyDesk()
    exchange, account_id = desk.desk.exchange, desk.desk.account_id
    other = exchange.create_account("other", "o", SECRET, balances={"USD": d("1000")})
    sold = exchange.add_order(account_id, ask_for("sell", "0.001", "60000"))
    exchange.add_order(other, ask_for("buy", "0.001", "60000"))
    waits = exchange.add_order(account_id, ask_for("sell", "0.001", "60001"))
    trades = ",".join(trade.trade_id for trade in exchange.trades(account_id))
    orders = f"{sold.order_id},{waits.order_id}"
    seen = []
    for later in (0, 1):
        _limit(desk, query_from=desk.clock.ns + later)
        found = desk.whole("QueryOrders", txid=orders)["result"]
        seen.append((len(desk.whole("QueryTrades", txid=trades)["result"]), list(found)))

    assert seen == [(1, [sold.order_id, waits.order_id]), (0, [waits.order_id])]


@pytest.mark.parametrize("bound", ["start", "end"])
@pytest.mark.parametrize("name", ["Ledgers", "TradesHistory", "ClosedOrders"])
def test_asking_for_times_that_the_key_may_not_see_is_refused(name: str, bound: str) -> None:
    """In the words that a client has reported of such a key."""
    desk, times = _with_history()
    _limit(desk, query_from=times[0], query_to=times[1])
    inside, before, after = (str(at // NS) for at in (times[0], times[0] - NS, times[1] + NS))

    assert desk.error(name, **{bound: inside}) == ""
    assert desk.error(name, **{bound: before}) == "EGeneral:Invalid arguments"
    assert desk.error(name, **{bound: after}) == "EGeneral:Invalid arguments"


def test_the_key_itself_can_be_asked_about() -> None:
    """Section 2.5: snake_case, all times unix seconds as text, 0 unset."""
    now = StandingClock().ns
    terms = KeyTerms(
        key_name="night desk",
        nonce_window=7,
        valid_until=now + 100 * NS,
        query_from=now - 50 * NS,
        query_to=now + 50 * NS,
        ip_allowlist=("127.0.0.0/8",),
    )
    desk = KeyDesk(terms, permissions=frozenset({"query-funds"}))
    told = desk.whole("GetApiKeyInfo", nonce=44)["result"]
    second = now // NS

    assert told == {
        "api_key_name": "night desk",
        "api_key": KEY,
        "nonce": "44",
        "nonce_window": "7",
        "permissions": ["query-funds"],
        "iban": told["iban"],
        "valid_until": str(second + 100),
        "query_from": str(second - 50),
        "query_to": str(second + 50),
        "created_time": str(second),
        "modified_time": str(second),
        "ip_allowlist": ["127.0.0.0/8"],
        "last_used": str(second),
    }


@pytest.mark.parametrize(
    "terms",
    [
        KeyTerms(nonce_window=-1),
        KeyTerms(nonce_window=2**63),
        KeyTerms(ip_allowlist=("localhost",)),
        KeyTerms(query_from=2, query_to=1),
        KeyTerms(otp="a", totp=TOTP),
        KeyTerms(totp="not base32!"),
    ],
)
def test_terms_that_make_no_sense_make_no_key(terms: KeyTerms) -> None:
    """Refused before anything is changed."""
    desk = RestDesk()
    with pytest.raises(Refusal, match="EGeneral:Invalid arguments"):
        desk.exchange.add_key(desk.account_id, KEY, SECRET, terms=terms)

    assert [one.api_key for one in desk.exchange.principals] == [API_KEY]


def test_a_removed_key_is_unknown_and_its_tokens_are_of_no_use(tmp_path: Path) -> None:
    """At once, and after a restart."""
    path = tmp_path / "state.sqlite"
    desk = KeyDesk(state=StateFile(path))
    token = desk.whole("GetWebSocketsToken")["result"]["token"]
    exchange = desk.desk.exchange
    exchange.remove_key(KEY)

    with pytest.raises(Refusal, match="ESession:Invalid session"):
        exchange.account_by_token(token)
    assert desk.error("Balance") == "EAPI:Invalid key"
    again = PaperExchange(ScriptedSource(), desk.clock, state=StateFile(path), seed=7)
    assert [one.api_key for one in again.principals] == [API_KEY]


# locked out
LIMITED = ExchangeOptions(tier="pro", quirks=Quirks(lockout_failures=3, lockout_s=900))


@pytest.mark.parametrize(
    "failure",
    [
        {"secret": base64.b64encode(b"wrong").decode()},
        {"nonce": 1},
        {"api_key": "nobody's"},
    ],
)
def test_three_bad_calls_lock_out_for_a_quarter_of_an_hour(failure: dict[str, Any]) -> None:
    """Section 3.1: bad keys, signatures, nonces; then even a good call is not heard."""
    desk = KeyDesk(options=LIMITED)
    desk.nonce = 10
    assert desk.error("Balance") == ""
    errors = [desk.error("Balance", **failure) for _ in range(4)]
    good = {} if "api_key" not in failure else failure
    locked = desk.error("Balance", **good)
    desk.clock.ns += 900 * NS
    freed = desk.error("Balance")

    assert (LOCKED in errors[:3], errors[3], locked) == (False, LOCKED, LOCKED)
    assert freed == ""


def test_failures_that_lie_far_apart_lock_nobody_out() -> None:
    """Only those of one window count together."""
    desk = KeyDesk(options=LIMITED)
    errors = set()
    for _ in range(10):
        errors.add(desk.error("Balance", nonce=0))
        desk.clock.ns += 451 * NS

    assert errors == {BAD_NONCE}


def test_one_key_is_locked_out_and_the_others_are_not() -> None:
    """Each key by itself; strangers by their address."""
    desk = KeyDesk(options=LIMITED)
    for _ in range(4):
        desk.error("Balance", nonce=0)
        desk.error("Balance", api_key="nobody's", client="10.0.0.1")

    assert desk.error("Balance") == LOCKED
    assert desk.desk.answer("Balance")["error"] == []
    assert desk.error("Balance", api_key="nobody's", client="10.0.0.1") == LOCKED
    assert desk.error("Balance", api_key="nobody's", client="10.0.0.2") == "EAPI:Invalid key"


@pytest.mark.parametrize(
    "options",
    [
        ExchangeOptions(quirks=LIMITED.quirks),
        replace(LIMITED, quirks=Quirks(lockout_failures=None)),
    ],
)
def test_without_limits_or_by_a_quirk_nobody_is_locked_out(options: ExchangeOptions) -> None:
    """However often he fails."""
    desk = KeyDesk(options=options)

    assert {desk.error("Balance", nonce=0) for _ in range(50)} == {BAD_NONCE}


def test_a_lockout_outlives_a_restart(tmp_path: Path) -> None:
    """Otherwise a crash would end it."""
    path = tmp_path / "state.sqlite"
    desk = KeyDesk(options=LIMITED, state=StateFile(path))
    for _ in range(3):
        desk.error("Balance", nonce=0)
    desk.desk.dialect = RestDialect(
        PaperExchange(ScriptedSource(), desk.clock, state=StateFile(path), options=LIMITED)
    )
    locked = desk.error("Balance")
    desk.clock.ns += 900 * NS

    assert (locked, desk.error("Balance")) == (LOCKED, "")
