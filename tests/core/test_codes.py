"""Every code an operator can meet has its meaning in one table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from house_rules import nodes_of
from zoe_tools import errors
from zoe_tools.core.audit_verify import Flaw
from zoe_tools.core.check_tp_coverage import Coverage
from zoe_tools.core.codes import MEANINGS, Retry, meaning_of
from zoe_tools.domain.discrepancy import FindingKind
from zoe_tools.errors import ZoeError

SOURCE = Path(errors.__file__).parent
_CODE = re.compile(r"[A-Z]{3,}(?:_[A-Z]+)*")


def error_classes(root: type[ZoeError] = ZoeError) -> Iterator[type[ZoeError]]:
    """The tree of errors."""
    yield root
    for each in root.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from error_classes(each)


def spoken_codes(source: str) -> set[str]:
    """Codes in a module: `code="..."`, and the first of a pair that is returned or yielded."""
    found = set()
    for node in nodes_of(source):
        match node:
            case ast.keyword(arg="code", value=value):
                found |= {each for each in _strings(value) if _CODE.fullmatch(each)}
            case ast.Tuple(elts=[ast.Constant(value=str(first)), *_]) if _CODE.fullmatch(first):
                found.add(first)
    return found


def _strings(node: ast.expr) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def codes_of_the_source() -> set[str]:
    """All that core, gate and engine say."""
    modules = [
        path for name in ("core", "gate", "engine") for path in (SOURCE / name).rglob("*.py")
    ]
    return {code for path in modules for code in spoken_codes(path.read_text("utf-8"))}


def test_every_code_of_the_source_is_explained() -> None:
    """A refusal that `zoe explain` does not know leaves an operator alone at night."""
    assert {code for code in codes_of_the_source() if meaning_of(code) is None} == set()


def test_the_search_for_codes_can_fail() -> None:
    """It sees a new one in each of the ways they are said."""
    source = 'f(code="NEW_ONE")\ndef g():\n    return ("NEWER", "words")\n'

    assert spoken_codes(source) == {"NEW_ONE", "NEWER"}
    assert {"STALE_QUOTE", "PRECONDITION", "DEPENDS"} <= codes_of_the_source()


@pytest.mark.parametrize("kinds", [Flaw, FindingKind, Coverage])
def test_every_finding_is_explained(kinds: type[Flaw | FindingKind | Coverage]) -> None:
    """Of `audit verify`, `reconcile` and `check-tp-coverage`."""
    assert [each.value for each in kinds if meaning_of(each.value) is None] == []


def test_every_error_and_every_exit_code_is_explained() -> None:
    """By the name of its class, and by the number a script sees."""
    names = [each.__name__ for each in error_classes()]
    numbers = {str(each.exit_code) for each in error_classes()} | {"0", "3"}

    assert [name for name in (*names, *sorted(numbers)) if meaning_of(name) is None] == []


def test_no_code_has_two_meanings() -> None:
    """One table, one row."""
    codes = [each.code for each in MEANINGS]

    assert sorted(codes) == sorted(set(codes))


def test_each_meaning_is_whole() -> None:
    """A sentence, a word on retrying; and what to do, unless there is nothing to do."""
    assert [each.code for each in MEANINGS if not each.what.endswith(".")] == []
    assert {each.retry for each in MEANINGS} == set(get_args(Retry))
    assert [each.code for each in MEANINGS if not each.next] == ["0", "SHORT", "OK"]
