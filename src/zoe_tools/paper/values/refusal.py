"""How the exchange says no: an error string in Kraken's grammar, before anything changed."""

from __future__ import annotations


class Refusal(Exception):
    """A request that is refused; `error` is the wire string, e.g. `EOrder:Insufficient funds`.

    Raising it promises that nothing was changed, rate counters excepted.
    """

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


def invalid(name: str) -> Refusal:
    """`EGeneral:Invalid arguments:<name>`."""
    return Refusal(f"EGeneral:Invalid arguments:{name}")
