"""The proof of balance: what the ledger says is owned, held against what the venue says.

Per asset, over all its wallets: the chains must be whole, the journal must come to what the chains
say, and the difference to the venue's balance must be nothing at the asset's own precision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from zoe_tools.core.ledger_chain import ChainBreak, ChainEnd
from zoe_tools.core.ledger_journal import WALLET
from zoe_tools.domain.instrument import InstrumentCatalogue
from zoe_tools.domain.ledger import AccountSums, Balance
from zoe_tools.domain.money import ZERO, round_half_up
from zoe_tools.domain.wallet import FUTURES, holding_of


class ProofState(StrEnum):
    """How the proof of an asset ended; the first of them that is so."""

    BROKEN = "broken"
    """A row does not follow from the one before it."""
    JOURNAL_DIFFERS = "journal differs"
    """The journal comes to something else than the rows it was made of."""
    DIFFERS = "differs"
    """The venue holds something else."""
    NOT_COMPARED = "chained"
    """The rows chain; the venue was not asked."""
    PROVED = "proved"


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletProof:
    """One wallet: `closing` by the ledger, `venue` by the venue, where it names such a wallet."""

    wallet: str
    rows: int
    opening: Decimal
    closing: Decimal
    venue: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetProof:
    """One asset: `opening` is what it began with where the first rows are not in the books.

    `difference` is what the venue has more, at the asset's precision; `hold` what of it is tied up
    in open orders. Both are None while the venue was not asked.
    """

    asset: str
    state: ProofState
    rows: int
    opening: Decimal
    closing: Decimal
    venue: Decimal | None
    hold: Decimal | None
    difference: Decimal | None
    wallets: tuple[WalletProof, ...]
    broken: ChainBreak | None = None

    @property
    def is_sound(self) -> bool:
        """Whether nothing speaks against it."""
        return self.state in {ProofState.PROVED, ProofState.NOT_COMPARED}


def prove(
    ends: Sequence[ChainEnd],
    journal: AccountSums | None = None,
    held: Sequence[Balance] | None = None,
    catalogue: InstrumentCatalogue | None = None,
) -> tuple[AssetProof, ...]:
    """The proof of every asset that the ledger or the venue names, by its name.

    `journal` is what each (asset, account) of the journal comes to, `held` the venue's balances;
    None: not looked at. Without a `catalogue` amounts are compared to their last digit.
    """
    names = InstrumentCatalogue(()) if catalogue is None else catalogue
    owned = None if held is None else _owned(held, names)
    chains: dict[str, list[ChainEnd]] = {}
    for end in ends:
        chains.setdefault(end.asset, []).append(end)
    assets = {*chains, *(asset for (asset, _), each in (owned or {}).items() if each.total)}
    return tuple(
        _proof(asset, chains.get(asset, []), journal, owned, names) for asset in sorted(assets)
    )


def _owned(
    held: Sequence[Balance], catalogue: InstrumentCatalogue
) -> dict[tuple[str, str], Balance]:
    """The venue's balances by asset and wallet."""
    owned: dict[tuple[str, str], Balance] = {}
    for each in held:
        key = holding_of(each.asset, catalogue)
        before = owned.get(key, Balance(asset=key[0], total=ZERO))
        owned[key] = Balance(
            asset=key[0], total=before.total + each.total, hold=before.hold + each.hold
        )
    return owned


def _proof(
    asset: str,
    ends: Sequence[ChainEnd],
    journal: AccountSums | None,
    owned: Mapping[tuple[str, str], Balance] | None,
    catalogue: InstrumentCatalogue,
) -> AssetProof:
    mine = {key[1]: each for key, each in (owned or {}).items() if key[0] == asset}
    venue = None if owned is None else sum((each.total for each in mine.values()), ZERO)
    closing = sum((end.closing for end in ends if end.wallet != FUTURES), ZERO)
    known = catalogue.asset(asset)
    difference = None if venue is None else venue - closing
    if difference is not None and known is not None:
        difference = round_half_up(difference, known.decimals)
    broken = next((end.broken for end in ends if end.broken is not None), None)
    return AssetProof(
        asset=asset,
        state=_state(ends, broken, journal, difference),
        rows=sum(end.rows for end in ends),
        opening=sum((end.opening for end in ends), ZERO),
        closing=closing,
        venue=venue,
        hold=None if owned is None else sum((each.hold for each in mine.values()), ZERO),
        difference=difference,
        wallets=tuple(_wallet(end, mine, is_known=owned is not None) for end in ends),
        broken=broken,
    )


def _wallet(end: ChainEnd, mine: Mapping[str, Balance], *, is_known: bool) -> WalletProof:
    there = mine.get(end.wallet)
    return WalletProof(
        wallet=end.wallet,
        rows=end.rows,
        opening=end.opening,
        closing=end.closing,
        venue=(ZERO if there is None else there.total) if is_known else None,
    )


def _state(
    ends: Sequence[ChainEnd],
    broken: ChainBreak | None,
    journal: AccountSums | None,
    difference: Decimal | None,
) -> ProofState:
    if broken is not None:
        return ProofState.BROKEN
    if journal is not None and any(
        journal.get((end.asset, f"{WALLET}{end.wallet}"), ZERO) != end.closing - end.opening
        for end in ends
    ):
        return ProofState.JOURNAL_DIFFERS
    if difference is None:
        return ProofState.NOT_COMPARED
    return ProofState.DIFFERS if difference else ProofState.PROVED
