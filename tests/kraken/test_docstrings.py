"""The client's docstrings say where a rule comes from and what a call may raise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from zoe_tools import kraken

MODULES = sorted(Path(kraken.__path__[0]).glob("[a-z]*.py"))

_SECTION = re.compile(r"sections? \d|kraken-spot \d")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def parsed(path: Path) -> ast.Module:
    """A module's code."""
    return ast.parse(path.read_text("utf-8"))


def public_functions(node: ast.AST) -> Iterator[Function]:
    """Functions and methods without an underscore, of public classes and of the module."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.ClassDef) and not each.name.startswith("_"):
            yield from public_functions(each)
        if isinstance(each, Function) and not each.name.startswith("_"):
            yield each


def raised_by(function: Function) -> set[str]:
    """The errors that a function raises by name in its own body."""
    calls = (each.exc for each in ast.walk(function) if isinstance(each, ast.Raise))
    return {
        each.func.id
        for each in calls
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)
    }


@pytest.mark.parametrize("path", MODULES, ids=[path.stem for path in MODULES])
def test_every_module_names_the_section_its_facts_are_from(path: Path) -> None:
    """In the module's own docstring, or in one of its classes'."""
    module = parsed(path)
    classes = [each for each in module.body if isinstance(each, ast.ClassDef)]
    texts = [ast.get_docstring(module), *(ast.get_docstring(each) for each in classes)]

    assert _SECTION.search(" ".join(text or "" for text in texts))


@pytest.mark.parametrize("path", MODULES, ids=[path.stem for path in MODULES])
def test_every_public_function_tells_what_it_raises(path: Path) -> None:
    """Under `Raises`, or by the error's name."""
    silent = [
        f"{function.name}: {error}"
        for function in public_functions(parsed(path))
        for error in raised_by(function)
        if error not in (told := ast.get_docstring(function) or "") and "Raises:" not in told
    ]

    assert silent == []


@pytest.mark.parametrize("path", MODULES, ids=[path.stem for path in MODULES])
def test_every_public_class_and_function_says_what_it_is(path: Path) -> None:
    """A sentence at least."""
    module = parsed(path)
    classes = [each for each in module.body if isinstance(each, ast.ClassDef)]
    public = [each for each in classes if not each.name.startswith("_")]

    bare = [
        each.name for each in (*public, *public_functions(module)) if not ast.get_docstring(each)
    ]
    assert bare == []
