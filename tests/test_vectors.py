"""The reference vectors that the runbooks' systems left behind: each has tests named after it.

`test_vector_N_...` goes through vector N with its own numbers. Missing are those of things that zoe
does not have: 14 (a gate that a paper run must pass) and 16 (a deployment); 17 (each tool's exit
code) is defect 19.
"""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent

VECTORS = {
    1: "a signature, byte for byte",
    2: "the ladder of prices, its mirror, and a spread too wide",
    3: "a part that filled while its order was replaced",
    4: "lots, the oldest first",
    5: "a withdrawal that is no drawdown",
    6: "an answer without positions",
    7: "a pending entry, and a reconciliation before its fill",
    8: "a position on the other side at the venue",
    9: "a crash at each point of an order's way",
    10: "kills that escalate, survive and are not forgotten",
    11: "the circuit breaker, its probe and its second wait",
    12: "an instrument's lock, its lease and a late order",
    13: "a change, and how much percent that is",
    15: "the report of an audit of the registry",
    18: "a difference of cash, at its tolerance and above",
}


def test_every_vector_has_tests_named_after_it() -> None:
    """A test that is renamed or removed is missed here."""
    told = {
        int(number)
        for path in sorted(TESTS.rglob("test_*.py"))
        for number in re.findall(
            r"^(?:async )?def test_vector_(\d+)_", path.read_text("utf-8"), re.MULTILINE
        )
    }

    assert told == VECTORS.keys()
