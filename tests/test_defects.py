"""The defects that systems before this one had: each has tests named after it, and here are two.

`test_defect_N_...` proves that defect N of theirs is none of ours; where it is, the name tells.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import zoe_tools
from house_rules import nodes_of

TESTS = Path(__file__).parent
SOURCE = Path(zoe_tools.__file__).parent

DEFECTS = {
    1: "a duplicate order after a timeout",
    2: "a replacement without a confirmed cancel",
    3: "too much filled after a partial fill and a replacement",
    4: "an unfilled exit booked as closed",
    5: "an exit sized by dollars and not by what is held",
    6: "guards and limits that block exits",
    7: "stops judged by a frozen price",
    8: "equity without what is held in crypto",
    9: "a deposit or a withdrawal that trips a drawdown",
    10: "reconciliation rows that claim what nobody compared",
    11: "a kill flag that an engine ignores",
    12: "a kill that is forgotten, or lifted by itself",
    13: "handlers of enum members that do not exist",
    14: "an empty answer of the venue that orphans positions",
    15: "a pending entry closed by a restart",
    16: "invented executions booked as profit or loss",
    17: "a lock that is stolen",
    18: "a restart that does not ask the venue",
    19: "tools whose exit code says nothing",
    20: "a reading tool that writes",
    21: "a gate before going live that always passes",
    22: "a wrong signature that its tests bless",
    23: "limits of several engines that add up",
    24: "a log that hides what operates, and leaks parts of keys",
    25: "tables that strangers can write",
}


def test_every_defect_has_tests_named_after_it() -> None:
    """A test that is renamed or removed is missed here."""
    told = {
        int(number)
        for path in sorted(TESTS.rglob("test_*.py"))
        for number in re.findall(r"^def test_defect_(\d+)_", path.read_text("utf-8"), re.MULTILINE)
    }

    assert told == DEFECTS.keys()


# --- 13: names in handlers -----------------------------------------------------------------------


@dataclass
class EnumClass:
    """An enum as its source tells it."""

    members: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)


@dataclass
class Module:
    """A module, and which of the names in it are enums."""

    name: str
    nodes: tuple[ast.AST, ...]
    enums: dict[str, EnumClass]

    @property
    def body(self) -> list[ast.stmt]:
        """The statements that are in nothing else."""
        assert isinstance(self.nodes[0], ast.Module)
        return self.nodes[0].body


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package."""
    found = {
        ".".join(("zoe_tools", *path.relative_to(SOURCE).with_suffix("").parts)): nodes_of(
            path.read_text("utf-8")
        )
        for path in sorted(SOURCE.rglob("*.py"))
    }
    whole = [Module(name=name, nodes=nodes, enums={}) for name, nodes in found.items()]
    made = {each.name: dict(_enums_in(each)) for each in whole}
    return tuple(
        replace(each, enums=made[each.name] | dict(_imported(each, made))) for each in whole
    )


def _enums_in(module: Module) -> Iterator[tuple[str, EnumClass]]:
    for node in module.body:
        if isinstance(node, ast.ClassDef) and any(
            isinstance(base, ast.Name) and base.id.endswith("Enum") for base in node.bases
        ):
            found = EnumClass()
            for part in node.body:
                match part:
                    case ast.Assign(targets=[ast.Name(id=name)]):
                        found.members.add(name)
                    case ast.FunctionDef(name=name):
                        found.others.add(name)
                    case _:
                        pass
            yield node.name, found


def _imported(
    module: Module, made: dict[str, dict[str, EnumClass]]
) -> Iterator[tuple[str, EnumClass]]:
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom):
            for each in node.names:
                found = made.get(node.module or "", {}).get(each.name)
                if found is not None:
                    yield each.asname or each.name, found


def _member(module: Module, node: ast.AST) -> tuple[str, str] | None:
    """The enum and the name behind `Enum.NAME`."""
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in module.enums:
            return name, attr
        case _:
            return None


def test_defect_13_every_member_that_a_handler_names_exists() -> None:
    """In tables, in cases, anywhere: a name that is no member would never be handled."""
    inherited = set(dir(str)) | set(dir(int)) | {"name", "value", "__members__"}
    named = [
        (module, found)
        for module in modules()
        for node in module.nodes
        if (found := _member(module, node)) is not None
    ]
    strange = [
        f"{module.name}: {enum}.{attr}"
        for module, (enum, attr) in named
        if attr not in module.enums[enum].members | module.enums[enum].others | inherited
    ]

    assert strange == []
    assert len(named) > 1_000  # else they were not found


def test_defect_13_every_member_has_its_case() -> None:
    """A match over an enum that has no case for the rest names them all."""
    whole, lacking = 0, []
    for module in modules():
        for node in module.nodes:
            if not isinstance(node, ast.Match):
                continue
            told = [_told_by(module, case) for case in node.cases]
            if None in told:
                continue  # the rest has a case of its own, or it is about more than members
            names = {each for some in told for each in some or ()}
            (enum,) = {enum for enum, _ in names}
            whole += 1
            if missing := module.enums[enum].members - {attr for _, attr in names}:
                lacking.append(f"{module.name}:{node.lineno} {enum}: {sorted(missing)}")

    assert lacking == []
    assert whole > 0


def _told_by(module: Module, case: ast.match_case) -> set[tuple[str, str]] | None:
    """The members that a case is for; None where it may be for anything."""
    patterns = case.pattern.patterns if isinstance(case.pattern, ast.MatchOr) else [case.pattern]
    found = [
        _member(module, each.value) if isinstance(each, ast.MatchValue) else None
        for each in patterns
    ]
    members = {each for each in found if each is not None}
    return members if len(members) == len(patterns) and case.guard is None else None


def test_defect_13_every_member_has_its_row_where_a_table_is_asked_without_a_default() -> None:
    """`TABLE[member]` on a table that lacks it ends a loop in the very case it was made for."""
    whole, lacking = 0, []
    for module in modules():
        for node in module.body:
            told = _table(module, node)
            if told is None:
                continue
            name, enum, rows = told
            if not _is_asked_blindly(module, name):
                continue
            whole += 1
            if missing := module.enums[enum].members - rows:
                lacking.append(f"{module.name}.{name}: {sorted(missing)}")

    assert lacking == []
    assert whole > 0


def _table(module: Module, node: ast.stmt) -> tuple[str, str, set[str]] | None:
    """Name, enum and rows of a constant whose keys are members."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(keys=keys)):
            pass
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict(keys=keys)):
            pass
        case _:
            return None
    found = [_member(module, key) for key in keys if key is not None]
    members = {each for each in found if each is not None}
    enums = {enum for enum, _ in members}
    if len(members) != len(keys) or len(enums) != 1:
        return None
    return name, enums.pop(), {attr for _, attr in members}


def _is_asked_blindly(module: Module, name: str) -> bool:
    """Whether a row is taken by its member, and nobody is ready for its absence."""
    caught = {
        id(inner)
        for node in module.nodes
        if isinstance(node, ast.Try)
        and any("KeyError" in ast.unparse(each.type) for each in node.handlers if each.type)
        for inner in ast.walk(node)
    }
    is_asked, is_looked_for = False, False
    for node in module.nodes:
        match node:
            case ast.Subscript(value=ast.Name(id=found), ctx=ast.Load()) if found == name:
                is_asked |= id(node) not in caught
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[ast.Name(id=found)]):
                is_looked_for |= found == name
            case _:
                pass
    return is_asked and not is_looked_for
