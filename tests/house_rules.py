"""The rules of the house that imports and linters cannot express: text in, violations out.

Every rule is a function over source text, so that `test_architecture.py` can show each of them a
bad sample and see it caught.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

FUNCTION_LINES = 60
MODULE_LINES = 500

NEVER_WAITS = ("cli", "config", "core", "domain", "errors", "observe", "render", "store")
"""Packages and modules below `zoe_tools` without asyncio and without coroutines."""
STORE_RUNNER = "store/runner.py"
"""The one exception: the port through which those who do wait reach the store."""
LOOKS = ("reading", "recalling")
"""How a look at the store is begun; a transaction is begun by `transaction`."""
MAY_BEGIN_TO_WRITE = (
    "store/runner.py",
    "store/store.py",
    "store/bulk.py",
    "runtime/writer_thread.py",
    "runtime/readiness.py",
    "runtime/auditing.py",
    "gate/spare.py",
)
"""The runners, the store itself, a pre-flight's trial, a store that is opened for reading, and the
copy in memory; who else writes hands its work to a runner, and who reads asks for a look."""
PURE_VENUE_PARTS = ("signing", "limits", "errors", "wire", "codec", "book")
MAY_PRINT = ("render/", "cli.py", "__main__.py", "observe/log.py")
"""The log is among them for one sentence: that there is no log."""

_UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b")
_BARE_NOQA = re.compile(r"#\s*noqa(?::\s*[A-Z0-9, ]+)?\s*$")
_MACHINE = (
    re.compile(r"(?<![\w.$}])/(?:work|root|home/\w+|Users/\w+)/"),
    re.compile(r"\b(?:pypi\.org|pythonhosted\.org|test\.pypi|conda\.anaconda)\b"),
    re.compile(r"--(?:extra-)?index-url|--find-links|--trusted-host"),
)


@functools.lru_cache(maxsize=700)
def nodes_of(source: str) -> tuple[ast.AST, ...]:
    """A module's syntax, the module first: to find its nodes takes longer than to judge them."""
    return tuple(ast.walk(ast.parse(source)))


def long_functions(source: str) -> list[str]:
    """Functions longer than the house allows, with their length."""
    found = []
    for node in nodes_of(source):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                found.append(f"{node.name}: {lines} lines")
    return found


def long_module(source: str) -> list[str]:
    """The module's length, if it has found a second job."""
    lines = len(source.splitlines())
    return [f"{lines} lines"] if lines > MODULE_LINES else []


def unfinished(source: str) -> list[str]:
    """Marks of work left undone, and errors swallowed whole."""
    found = [match.group(0) for match in _UNFINISHED.finditer(source)]
    for node in nodes_of(source):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                found.append(f"line {node.lineno}: except without a type")
            elif ast.unparse(node.type) in {"Exception", "BaseException"} and _does_nothing(node):
                found.append(f"line {node.lineno}: every error swallowed")
    return found


def _does_nothing(handler: ast.ExceptHandler) -> bool:
    return all(isinstance(each, ast.Pass) for each in handler.body)


def waits(source: str) -> list[str]:
    """Coroutines, and imports of asyncio."""
    found = []
    for node in nodes_of(source):
        if isinstance(node, ast.AsyncFunctionDef):
            found.append(f"line {node.lineno}: async def {node.name}")
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += [
                f"line {node.lineno}: {name}" for name in _imported(node) if name == "asyncio"
            ]
    return found


def public_coroutines(source: str) -> list[str]:
    """Module-level coroutines that anybody could call: a command keeps its own private."""
    return [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_")
    ]


def held_over_waits(source: str) -> list[str]:
    """Transactions and looks that last over an await: over a call of the venue, say."""
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    return [
        f"line {block.lineno}"
        for block in nodes_of(source)
        if isinstance(block, ast.With) and _opened_in(block) & {"transaction", *LOOKS}
        if any(isinstance(node, waits) for node in ast.walk(block))
    ]


def writing_doors(source: str) -> list[str]:
    """Places that begin a transaction of the store themselves."""
    return [
        f"line {block.lineno}"
        for block in nodes_of(source)
        if isinstance(block, ast.With) and "transaction" in _opened_in(block)
    ]


def _opened_in(block: ast.With) -> set[str]:
    """The last names of what is called in the head of a `with`."""
    calls = (node for item in block.items for node in ast.walk(item.context_expr))
    heads = (node.func for node in calls if isinstance(node, ast.Call))
    return {head.attr for head in heads if isinstance(head, ast.Attribute)}


def loop_starts(source: str) -> list[str]:
    """Places that start an event loop."""
    starters = {"asyncio.run", "asyncio.Runner", "asyncio.new_event_loop", "anyio.run"}
    return [
        f"line {node.lineno}: {name}"
        for node in nodes_of(source)
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in starters
    ]


def prints(source: str) -> list[str]:
    """Calls of print, and writes to the standard streams."""
    found = []
    for node in nodes_of(source):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "print" or called in {"sys.stdout.write", "sys.stderr.write"}:
                found.append(f"line {node.lineno}: {called}")
    return found


def unexplained_noqa(source: str) -> list[str]:
    """Lint exceptions that do not say why: `# noqa: CODE - reason` is the form."""
    return [
        f"line {number}: {line.strip()}"
        for number, line in enumerate(source.splitlines(), 1)
        if _BARE_NOQA.search(line)
    ]


def unexplained_exclusions(pyproject: str) -> list[str]:
    """Ruff rules switched off in pyproject.toml without a reason on their line."""
    found, inside = [], False
    for line in pyproject.splitlines():
        text = line.strip()
        if re.match(r'(ignore|"[^"]+\*\*")\s*=\s*\[', text):
            inside = True
        if inside:
            codes = re.findall(r'"([A-Z]+[0-9]*)"', text)
            if codes and not re.search(r"#\s*\S+", text):
                found += codes
        if inside and text.endswith("]") and not text.startswith("#"):
            inside = False
    return found


def machine_words(text: str) -> list[str]:
    """Paths of one machine and addresses of package indexes: they mean nothing elsewhere."""
    return [match.group(0) for pattern in _MACHINE for match in pattern.finditer(text)]


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom):
        yield (node.module or "").partition(".")[0]
    else:
        for alias in node.names:
            yield alias.name.partition(".")[0]


# --- documents -----------------------------------------------------------------------------------


def table_rows(markdown: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    _, found, rest = markdown.partition(f"\n{heading}\n")
    if not found:
        return []
    rows: list[list[str]] = []
    for line in rest.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif rows or line.startswith("## "):
            break
    return rows[2:]


def code_spans(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


def local_links(markdown: str) -> list[str]:
    """Relative targets of the links, without their anchors."""
    targets = re.findall(r"\]\(([^)\s]+)\)", markdown)
    return [
        target.partition("#")[0]
        for target in targets
        if not re.match(r"[a-z]+:|#", target) and target.partition("#")[0]
    ]


def fenced_blocks(markdown: str) -> list[str]:
    """The text of every fenced block, without the fences."""
    return re.findall(r"^```[^\n]*\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)


# --- pinned versions -----------------------------------------------------------------------------


def canonical(name: str) -> str:
    """The one spelling of a distribution's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(constraints: str) -> dict[str, str]:
    """Name to version, for every `name==version` line.

    Raises:
        ValueError: a line that pins nothing.
    """
    found = {}
    for line in constraints.splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        name, equal, version = text.partition("==")
        if not equal or not version or not re.fullmatch(r"[\w.+!-]+", version):
            raise ValueError(f"{line!r} pins nothing")
        found[canonical(name)] = version
    return found


# --- commands ------------------------------------------------------------------------------------


def module_of(command: str) -> str:
    """`config show` is the module `config_show`."""
    return command.replace(" ", "_").replace("-", "_")


def page_of(command: str) -> str:
    """`config show` is the page `config-show`."""
    return command.replace(" ", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the parts of one command live, relative to the checkout."""

    command: str
    has_decision: bool

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that must exist."""
        module = module_of(self.command)
        always = (
            f"src/zoe_tools/commands/{module}.py",
            f"docs/commands/{page_of(self.command)}.md",
            f"tests/commands/test_{module}.py",
        )
        decision = (f"src/zoe_tools/core/{module}.py", f"tests/core/test_{module}.py")
        return always + (decision if self.has_decision else ())


def missing_places(
    commands: list[str], without_decision: Mapping[str, str], present: frozenset[str]
) -> list[str]:
    """Files that a command should have and has not."""
    wanted = [
        path
        for command in commands
        for path in Places(command=command, has_decision=command not in without_decision).paths
    ]
    return [path for path in wanted if path not in present]
