"""Ids in Kraken's shapes, derived from a seed and a counter: the same run gives the same ids."""

from __future__ import annotations

import hashlib

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SPELLING = bytes(ord(_LETTERS[byte & 31]) for byte in range(256))
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class IdMint:
    """Counters per purpose. `counters` is what a restart must remember."""

    def __init__(self, seed: int, counters: dict[str, int] | None = None) -> None:
        self._seed = seed
        self.counters: dict[str, int] = dict(counters or {})
        self._begun: dict[str, hashlib._Hash] = {}

    def count(self, purpose: str) -> int:
        """The next number of this purpose, from 1."""
        number = self.counters.get(purpose, 0) + 1
        self.counters[purpose] = number
        return number

    def order(self) -> str:
        """`OQCLML-BW3P3-BUCMWZ`."""
        return self._dashed("O", "order")

    def trade(self) -> str:
        """`THVRQM-33VKH-UCI7BS`."""
        return self._dashed("T", "trade")

    def amend(self) -> str:
        """Like a trade id, from a sequence of its own."""
        return self._dashed("T", "amend")

    def ledger(self) -> str:
        """`L4UESK-KG3EQ-UFO4T5`."""
        return self._dashed("L", "ledger")

    def deposit(self) -> str:
        """`FTQcuak-V6Za8qrWnhzTx67yYHz8Tg`, in upper case."""
        digits = self._digest("deposit")
        return f"FT{_spell(digits, 5)}-{_spell(digits[8:], 22)}"

    def export(self) -> str:
        """Four letters, `TCJA`; they come again after a while, so ask until one is free."""
        return "".join(chr(ord("A") + byte % 26) for byte in self._digest("export")[:4])

    def token(self, salt: str) -> str:
        """A WebSocket token of 43 characters; `salt` is a secret of the account."""
        digits = self._digest(f"token:{salt}") + hashlib.sha256(salt.encode()).digest()
        return "".join(_ALPHABET[byte % 62] for byte in digits[:43])

    def _dashed(self, first: str, purpose: str) -> str:
        begun = self._begun.get(purpose)
        if begun is None:
            begun = self._begun[purpose] = hashlib.sha256(f"{self._seed}:{purpose}:".encode())
        digits = begun.copy()
        digits.update(b"%d" % self.count(purpose))
        text = first + _spell(digits.digest(), 16)
        return f"{text[:6]}-{text[6:11]}-{text[11:]}"

    def _digest(self, purpose: str) -> bytes:
        number = self.count(purpose.partition(":")[0])
        return hashlib.sha256(f"{self._seed}:{purpose}:{number}".encode()).digest()


def iban_of(account_id: str) -> str:
    """The account's IIBAN, by which Kraken names a client: 16 characters in groups of four."""
    text = f"AA00N00G{account_id:0>8}"
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _spell(digits: bytes, length: int) -> str:
    return digits[:length].translate(_SPELLING).decode()
