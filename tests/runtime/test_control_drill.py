"""Every control that the veto knows is made to fire, and a control that is gone is noticed."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import zoe_tools.core.risk as risk_module
from command_line import zoe
from zoe_tools.core import codes
from zoe_tools.runtime.control_drill import prove_controls

CORE = Path(risk_module.__file__).parent
OTHERS = {"WRONG_ACCOUNT", "DE_ESCALATION", "NOT_A_REDUCTION", "UNKNOWN_ORDER"}
"""Refusals that are not about a new entry."""


def test_every_control_of_the_veto_is_proved_on_the_paper_exchange() -> None:
    """One order each; none of them reaches the venue, and what must pass does."""
    proofs = prove_controls()

    assert [each for each in proofs if not each.is_proved] == []
    told = codes_of_the_veto()
    assert told - OTHERS == {each.control for each in proofs} - {"reduction"}
    assert told <= {each.code for each in codes.MEANINGS}


def codes_of_the_veto() -> set[str]:
    """Each refusal is a tuple that begins with its code, in whatever module of the veto it is."""
    tuples = [
        node
        for path in CORE.glob("risk*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Tuple) and len(node.elts) > 1
    ]
    first = [each.elts[0] for each in tuples]
    words = {each.value for each in first if isinstance(each, ast.Constant)}
    return {str(each) for each in words if re.fullmatch("[A-Z][A-Z_]+", str(each))}


def test_a_control_without_a_drill_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one in a module of its own, and one that a table names."""
    before = codes_of_the_veto()
    for path in CORE.glob("risk*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "risk_moon.py").write_text(
        'TABLE = (("NO_MOON", "moons", 1),)\n'
        'def check(moon: str) -> object:\n    return ("FULL_MOON", f"The {moon} is full.")\n'
    )
    monkeypatch.setattr(sys.modules[__name__], "CORE", tmp_path)

    assert codes_of_the_veto() - before == {"FULL_MOON", "NO_MOON"}


def test_a_control_that_does_not_fire_fails_the_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the collar the order goes out: exit 3, and the row says so."""
    monkeypatch.setattr(risk_module, "collar_check", lambda *_: None)
    ran = zoe("pre-flight --prove", home=tmp_path)

    assert ran.code == 3
    assert re.search(r"PRICE_COLLAR .* FAIL", ran.out)
    assert "of 39 proved" in ran.out


def test_the_proof_needs_no_home_and_leaves_none(tmp_path: Path) -> None:
    """Everything is thrown away."""
    ran = zoe("pre-flight --prove", home=tmp_path / "home")

    assert ran.code == 0
    assert "PASS: 39 of 39 proved" in ran.out
    assert not (tmp_path / "home" / "zoe.db").exists()
