"""The architecture as tests: sizes, places, layers, documents, and that each rule can fail."""

from __future__ import annotations

import importlib.metadata
import io
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from packaging.requirements import Requirement
from typer.core import TyperGroup, TyperOption

import help_blocks
import house_rules as house
import json_story
import schema_files
from zoe_tools import cli
from zoe_tools.config import KNOBS, env_template
from zoe_tools.errors import ZoeError

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "zoe_tools"
DOCS = ROOT / "docs"

WITHOUT_DECISION = {
    "apply": "the decision is that of the command whose plan it is, made again",
    "audit init": "makes a key where there is none",
    "breaker": "its machine is the client's too, and so a value of the domain: domain/breaker.py",
    "config check": "its decision is of settings: config/thresholds.py and config/tightening.py",
    "config set": "its decision is of settings: config/tightening.py",
    "config show": "shows settings; there is nothing to decide",
    "db backup": "copies a file; there is nothing to decide",
    "db prune": "what is needed by nobody is a question to the tables: store/prune.py",
    "db status": "shows what the migrations say",
    "db upgrade": "runs migrations, which decide for themselves",
    "fills": "shows what the store knows; there is nothing to decide",
    "init": "makes a folder and a database where there is none",
    "kill status": "shows the trading state",
    "ledger import": "its decision stands beside that of ledger: core/ledger_chain.py proves rows",
    "markets record": "writes down what it hears; there is nothing to decide",
    "paper fault": "arms a fault of the embedded exchange",
    "paper fund": "moves money at the embedded exchange, which decides whether it can",
    "paper key": "makes a key at the embedded exchange, which decides whether it can be",
    "paper reset": "empties the embedded exchange",
    "paper serve": "starts the embedded exchange",
    "status": "shows what the store knows; there is nothing to decide",
}
SHARED = {"invocation", "listing", "planning", "backfill_files", "kill_blindly"}
"""Modules of `commands/` that are no command: what all, all planning ones or all lists share, what
`backfill` does with files, and `kill` without a store."""

WRITERS = house.MAY_BEGIN_TO_WRITE
MODULES = sorted(SOURCE.rglob("*.py"))
MARKDOWN = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def inside(path: Path) -> str:
    """The module's path below the package, for comparing and for messages."""
    return path.relative_to(SOURCE).as_posix()


def offences(rule: Callable[[str], list[str]], modules: list[Path]) -> list[str]:
    """What the rule finds, each with its file."""
    return [
        f"{inside(path)}: {found}" for path in modules for found in rule(path.read_text("utf-8"))
    ]


def tracked_files() -> list[Path]:
    """The project's own text files: what git tracks, or all that is not made by tools."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - whichever git the developer uses
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        found = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
        return [path for path in found if path.is_file()]
    made = re.compile(r"/(\.[a-z_]+|build|dist|__pycache__)/")
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not made.search(f"/{path.relative_to(ROOT).as_posix()}")
    ]


# --- the command tree ----------------------------------------------------------------------------


def door() -> cli._Door:
    """The program's door, opened onto nothing."""
    return cli._Door([], {}, io.StringIO(), io.StringIO())


def command_names() -> list[str]:
    """Every command by its full name."""
    return sorted(cli.COMMANDS)


# --- sizes and finish ----------------------------------------------------------------------------


def test_no_function_is_longer_than_sixty_lines() -> None:
    """A longer one does more than one thing."""
    assert offences(house.long_functions, MODULES) == []


def test_no_module_is_longer_than_five_hundred_lines() -> None:
    """A longer one has found a second job: split it by job."""
    assert offences(house.long_module, MODULES) == []


def test_nothing_is_left_unfinished_or_swallowed() -> None:
    """No marks for later, no stubs, no handler that drops every error."""
    assert offences(house.unfinished, MODULES) == []


def test_every_lint_exception_says_why() -> None:
    """In the code as `# noqa: CODE - reason`."""
    assert offences(house.unexplained_noqa, MODULES) == []


def test_every_excluded_lint_rule_says_why() -> None:
    """In pyproject.toml, on the rule's own line."""
    assert house.unexplained_exclusions((ROOT / "pyproject.toml").read_text("utf-8")) == []


# --- who waits, who prints -----------------------------------------------------------------------


def never_waiting_modules() -> list[Path]:
    """Modules that must stay free of asyncio and coroutines."""
    pure = {f"kraken/{name}.py" for name in house.PURE_VENUE_PARTS}
    return [
        path
        for path in MODULES
        if (inside(path).split("/")[0].removesuffix(".py") in house.NEVER_WAITS)
        != (inside(path) == house.STORE_RUNNER)
        or inside(path) in pure
    ]


def test_what_decides_and_what_shows_never_waits() -> None:
    """No coroutine and no asyncio in core, domain, store, render, config, cli."""
    assert offences(house.waits, never_waiting_modules()) == []


def test_a_command_keeps_its_coroutine_to_itself() -> None:
    """Only the Typer function of a command is public."""
    commands = [path for path in MODULES if inside(path).startswith("commands/")]

    assert offences(house.public_coroutines, commands) == []


def test_no_transaction_lasts_over_an_await() -> None:
    """Who holds the write lock over a call of the venue keeps every loop from its store."""
    assert offences(house.held_over_waits, MODULES) == []


def test_only_the_runners_begin_to_write() -> None:
    """Whoever only reads asks for a look, which takes no lock."""
    others = [each for each in MODULES if each.relative_to(SOURCE).as_posix() not in WRITERS]

    assert offences(house.writing_doors, others) == []


def test_event_loops_start_in_the_runtime_alone() -> None:
    """One composition root, one place that chooses the time regime."""
    others = [path for path in MODULES if not inside(path).startswith("runtime/")]

    assert offences(house.loop_starts, others) == []


def test_only_the_renderer_and_the_door_print() -> None:
    """Data to stdout and words to stderr is decided in one place."""
    others = [path for path in MODULES if not inside(path).startswith(house.MAY_PRINT)]

    assert offences(house.prints, others) == []


def test_no_package_is_called_by_what_it_is_not_for() -> None:
    """Names that collect everything: each hides a missing name."""
    banned = {"utils", "helpers", "common", "manager", "service", "models", "misc"}
    names = {part for path in MODULES for part in Path(inside(path)).with_suffix("").parts}

    assert names & banned == set()


# --- one name, five places -----------------------------------------------------------------------


def test_the_tree_reaches_every_command_and_no_other() -> None:
    """What `zoe --help` and the groups list is what the table registers."""
    tree = cli.command_tree(door())
    context = typer.Context(tree)
    reached: set[str] = set()
    for name in tree.list_commands(context):
        below = tree.get_command(context, name)
        if isinstance(below, TyperGroup):
            reached |= {f"{name} {each}" for each in below.list_commands(typer.Context(below))}
        else:
            reached.add(name)
    second_words = {name for name in cli.COMMANDS if name.split()[0] in cli.COMMANDS}

    assert reached | second_words == set(cli.COMMANDS)


def test_every_command_has_its_places() -> None:
    """Command, decision, their tests and their page carry one name."""
    present = frozenset(
        path.relative_to(ROOT).as_posix()
        for folder in ("src", "tests", "docs")
        for path in (ROOT / folder).rglob("*")
    )

    assert house.missing_places(command_names(), WITHOUT_DECISION, present) == []


def test_no_file_stands_for_a_command_that_is_not_there() -> None:
    """A page or a module without its command would promise something."""
    modules = {path.stem for path in (SOURCE / "commands").glob("*.py")} - {"__init__"}
    pages = {path.stem for path in (DOCS / "commands").glob("*.md")} - {"README"}

    assert modules - SHARED - {house.module_of(name) for name in command_names()} == set()
    assert pages - {house.page_of(name) for name in command_names()} == set()


def test_the_front_page_lists_every_command() -> None:
    """Whoever looks for a command finds its page from there."""
    front = (ROOT / "README.md").read_text("utf-8")

    listed = {
        each for each in command_names() if f"(docs/commands/{house.page_of(each)}.md)" in front
    }

    assert listed == set(command_names())


def test_the_list_of_commands_without_a_decision_is_true() -> None:
    """An exemption for a command that decides, or is gone, is stale."""
    assert set(WITHOUT_DECISION) - set(command_names()) == set()
    decided = [
        name
        for name in WITHOUT_DECISION
        if (SOURCE / "core" / f"{house.module_of(name)}.py").exists()
    ]
    assert decided == []


@pytest.mark.parametrize("name", command_names())
def test_every_command_explains_itself(name: str) -> None:
    """Its line in the tree opens its help; it shows an example; no option is mute."""
    command = cli.load_command(door(), name)
    told = command.help or ""
    mute = [
        parameter.opts[0]
        for parameter in command.params
        if isinstance(parameter, TyperOption) and not parameter.help
    ]

    assert " ".join(told.split()).startswith(cli.COMMANDS[name])
    assert f"zoe {name}" in told
    assert mute == []


@pytest.mark.parametrize("name", command_names())
def test_every_page_shows_the_help_as_it_is(name: str) -> None:
    """`make docs` writes the block anew; the words around it are written by hand."""
    page = DOCS / "commands" / f"{house.page_of(name)}.md"
    text = page.read_text("utf-8")

    assert help_blocks.with_help(text, name) == text
    assert help_blocks.opening(name) in text


def test_the_contract_lists_exactly_the_commands_there_are() -> None:
    """docs/contract.md is what runbooks are written against."""
    rows = house.table_rows((DOCS / "contract.md").read_text("utf-8"), "## Commands")
    listed = [house.code_spans(row[0])[0].removeprefix("zoe ") for row in rows]

    assert command_names() == sorted(listed)


def test_every_command_publishes_the_schema_of_its_json() -> None:
    """A new command gets lines in tests/schema_files.py and json_story.py; then `make docs`."""
    assert sorted(schema_files.RESULTS) == command_names()
    assert [each for each in command_names() if not json_story.has_a_part(each)] == []
    stale = [
        name
        for name, schema in schema_files.generated().items()
        if not (schema_files.FOLDER / name).is_file()
        or (schema_files.FOLDER / name).read_text("utf-8") != schema_files.text_of(schema)
    ]
    assert stale == [], "run `make docs`, or `PYTHONPATH=tests python tests/schema_files.py`"
    published = {path.name for path in schema_files.FOLDER.iterdir()}
    assert published - set(schema_files.generated()) == set()


# --- documents -----------------------------------------------------------------------------------


def test_the_contract_lists_exactly_the_settings_there_are() -> None:
    """Name and default of each; the two that only the environment sets come on top."""
    rows = house.table_rows((DOCS / "contract.md").read_text("utf-8"), "## Settings")
    listed = {house.code_spans(row[0])[0]: (house.code_spans(row[1]) or [""])[0] for row in rows}
    environment_only = {name: listed.pop(name, None) for name in ("ZOE_HOME", "I_UNDERSTAND_LIVE")}

    assert {knob.name: knob.default for knob in KNOBS} == listed
    assert None not in environment_only.values()


def test_the_example_of_settings_is_what_init_writes() -> None:
    """`make docs` writes it anew."""
    assert (ROOT / ".env.example").read_text("utf-8") == env_template()


def test_the_exit_codes_in_the_contract_are_those_of_the_error_tree() -> None:
    """Every code an error carries is explained."""

    def codes(error: type[ZoeError]) -> set[int]:
        return {error.exit_code}.union(*(codes(each) for each in error.__subclasses__()))

    rows = house.table_rows((DOCS / "contract.md").read_text("utf-8"), "## Exit codes")
    explained = {int(row[0].strip("`")) for row in rows}

    assert codes(ZoeError) - explained == set()
    assert explained == {0, 1, 2, 3, 4, 5, 6, 7, 130}


def test_the_architecture_page_names_every_part_of_the_package() -> None:
    """A folder that the map does not show is a surprise."""
    rows = house.table_rows((DOCS / "architecture.md").read_text("utf-8"), "## Layout")
    named = {span.rstrip("/") for row in rows for span in house.code_spans(row[0])}
    parts = {
        path.name
        for path in SOURCE.iterdir()
        if (path.suffix == ".py" or any(path.rglob("*.py"))) and not path.name.startswith("__")
    } | {"__main__.py"}

    assert parts == named


def test_every_local_link_leads_somewhere() -> None:
    """In every document of the project."""
    broken = [
        f"{path.relative_to(ROOT)} -> {target}"
        for path in MARKDOWN
        for target in house.local_links(path.read_text("utf-8"))
        if not (path.parent / target).exists()
    ]

    assert broken == []


def test_decisions_are_numbered_without_gaps_and_say_what_follows() -> None:
    """Context, decision, consequence, in every record."""
    records = sorted((DOCS / "adr").glob("[0-9]*.md"))
    numbers = [int(path.name[:4]) for path in records]
    incomplete = [
        path.name
        for path in records
        for heading in ("## Context", "## Decision", "## Consequence")
        if f"\n{heading}\n" not in path.read_text("utf-8")
    ]

    assert numbers == list(range(1, len(records) + 1))
    assert incomplete == []


def test_the_readme_s_two_commands_are_targets() -> None:
    """What a newcomer types first exists."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    typed = re.findall(r"^make ([a-z-]+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)

    assert typed[:2] == ["demo", "test"]
    assert [name for name in typed if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


# --- what is shipped -----------------------------------------------------------------------------


def test_nothing_points_at_one_machine() -> None:
    """No absolute path of a developer's machine, no address of a package index."""
    rules = {ROOT / "tests" / "house_rules.py", Path(__file__)}
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked_files()
        if path not in rules and path.stat().st_size < 1_000_000
        for word in house.machine_words(path.read_text("utf-8", errors="ignore"))
    ]

    assert found == []


def dependencies() -> dict[str, str]:
    """Name and version of every installed distribution that the project asks for, deeply."""
    found: dict[str, str] = {}
    waiting = [Requirement(text) for text in importlib.metadata.requires("zoe-tools") or ()]
    while waiting:
        requirement = waiting.pop()
        name = house.canonical(requirement.name)
        extras = ("test", "check", "", *sorted(requirement.extras))
        if name in found or not _applies(requirement, extras):
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = distribution.version
        for text in distribution.requires or ():
            inner = Requirement(text)
            if _applies(inner, ("", *sorted(requirement.extras))):
                waiting.append(inner)
    return found


def _applies(requirement: Requirement, extras: tuple[str, ...]) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def test_every_dependency_is_pinned_to_what_is_installed() -> None:
    """Direct or not: what was tested is what is installed next time."""
    pinned = house.pins((ROOT / "constraints.txt").read_text("utf-8"))
    found = dependencies()

    assert len(found) > 20
    assert {name: pinned.get(name) for name in found} == found


def test_the_pins_satisfy_what_the_project_asks_for() -> None:
    """Also for the extras that are not installed here."""
    pinned = house.pins((ROOT / "constraints.txt").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [
        Requirement(text)
        for texts in (project["dependencies"], *project["optional-dependencies"].values())
        for text in texts
    ]

    refused = [
        str(each)
        for each in asked
        if not each.specifier.contains(pinned.get(house.canonical(each.name), "0"))
    ]

    assert refused == []


# --- the program's door --------------------------------------------------------------------------


def test_help_does_not_load_the_heavy_parts() -> None:
    """`zoe --help` answers at once: no database, no HTTP, no web server is imported for it."""
    heavy = (
        "sqlalchemy", "alembic", "httpx", "starlette", "uvicorn", "websockets", "psycopg", "polars"
    )  # fmt: skip
    script = (
        "import io, sys\n"
        "from zoe_tools.cli import main\n"
        "code = main(['--help'], {}, out=io.StringIO(), err=io.StringIO())\n"
        f"print(code, [name for name in {heavy!r} if name in sys.modules])\n"
    )

    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert finished.stdout.splitlines()[-1] == "0 []"


# --- every rule can fail -------------------------------------------------------------------------

LONG = "def f():\n" + "    x = 1\n" * 60
BAD_SAMPLES: list[tuple[Callable[[str], list[str]], str]] = [
    (house.long_functions, LONG),
    (house.long_functions, "class A:\n    async " + LONG.replace("\n", "\n    ").strip()),
    (house.long_module, "x = 1\n" * 501),
    (house.unfinished, "# TODO: later\n"),
    (house.unfinished, "def f():\n    raise NotImplementedError\n"),
    (house.unfinished, "try:\n    f()\nexcept:\n    g()\n"),
    (house.unfinished, "try:\n    f()\nexcept Exception:\n    pass\n"),
    (house.waits, "async def f():\n    await g()\n"),
    (house.waits, "def f():\n    import asyncio\n"),
    (house.waits, "from asyncio import sleep\n"),
    (house.public_coroutines, "async def run():\n    await g()\n"),
    (house.held_over_waits, "async def f():\n  with a.b.transaction() as c:\n    await d()\n"),
    (
        house.held_over_waits,
        "async def f():\n  with a.reading():\n    async for b in c:\n      d\n",
    ),
    (house.writing_doors, "with closing(a), a.transaction(at_once=True) as b:\n    b.c()\n"),
    (house.loop_starts, "asyncio.run(main())\n"),
    (house.prints, "def f():\n    print('x')\n"),
    (house.prints, "sys.stdout.write('x')\n"),
    (house.unexplained_noqa, "x = 1  # noqa: E501\n"),
    (house.unexplained_noqa, "x = 1  # noqa\n"),
    (house.unexplained_exclusions, 'ignore = [\n  "COM812",\n]\n'),
    (house.unexplained_exclusions, '"tests/**" = [\n  "S101",  # why\n  "D", #\n]\n'),
    (house.machine_words, "see /home/" + "me/notes"),
    (house.machine_words, "pip install --index-" + "url x"),
    (house.machine_words, "https://py" + "pi.org/simple"),
]


@pytest.mark.parametrize(("rule", "sample"), BAD_SAMPLES)
def test_each_rule_catches_a_bad_sample(rule: Callable[[str], list[str]], sample: str) -> None:
    """A rule that cannot fail guards nothing."""
    assert rule(sample) != []


GOOD_SAMPLES: list[tuple[Callable[[str], list[str]], str]] = [
    (house.long_functions, "def f():\n" + "    x = 1\n" * 59),
    (house.long_module, "x = 1\n" * 500),
    (house.unfinished, "try:\n    f()\nexcept OSError:\n    pass\n"),
    (house.waits, "def f(coroutine):\n    return coroutine\n"),
    (house.held_over_waits, "async def f():\n  with a.transaction() as b:\n    b.c()\n  await d\n"),
    (house.writing_doors, "with a.reading() as b:\n    b.c()\n"),
    (house.public_coroutines, "async def _run():\n    await g()\n"),
    (house.prints, "console.print('x')\n"),
    (house.unexplained_noqa, "x = 1  # noqa: E501 - a table reads better whole\n"),
    (house.unexplained_exclusions, 'ignore = [\n  "COM812",  # the formatter\n]\n'),
    (house.machine_words, "Path(__file__).parents[1] / 'work' / 'home'"),
]


@pytest.mark.parametrize(("rule", "sample"), GOOD_SAMPLES)
def test_each_rule_lets_good_code_pass(rule: Callable[[str], list[str]], sample: str) -> None:
    """A rule that always fails would be switched off."""
    assert rule(sample) == []


def test_a_missing_place_is_reported() -> None:
    """A command without its page, and one without its decision."""
    present = frozenset({"src/zoe_tools/commands/recover_sl.py", "docs/commands/status.md"})

    missing = house.missing_places(["recover-sl", "status"], {"status": "shows"}, present)

    assert missing == [
        "docs/commands/recover-sl.md",
        "tests/commands/test_recover_sl.py",
        "src/zoe_tools/core/recover_sl.py",
        "tests/core/test_recover_sl.py",
        "src/zoe_tools/commands/status.py",
        "tests/commands/test_status.py",
    ]


def test_a_line_that_pins_nothing_is_refused() -> None:
    """A range in the constraints is not a pin."""
    assert house.pins("# a note\nPy_YAML==6.0\n") == {"py-yaml": "6.0"}
    for line in ("httpx>=0.28", "httpx", "httpx==", "-e ."):
        with pytest.raises(ValueError, match="pins nothing"):
            house.pins(line)


def test_the_tables_and_links_of_a_page_are_read() -> None:
    """The readers that the document rules stand on."""
    page = "# T\n\n## A\ntext\n\n| h | g |\n|---|---|\n| `x` | y |\n\n## B\n[l](b.md#c) [w](https://x)\n"

    assert house.table_rows(page, "## A") == [["`x`", "y"]]
    assert house.table_rows(page, "## B") == []
    assert house.code_spans("`a` and `b c`") == ["a", "b c"]
    assert house.local_links(page) == ["b.md"]
    assert house.fenced_blocks("```text\none\n```\n") == ["one\n"]


def test_every_hint_names_a_command_that_exists() -> None:
    """A hint at three in the morning that leads nowhere is worse than none."""
    known = {name.split()[0] for name in command_names()}
    told = [
        f"{inside(module)}: zoe {word}"
        for module in MODULES
        for word in re.findall(r"`zoe ([a-z][a-z-]*)", module.read_text("utf-8"))
        if word not in known
    ]

    assert told == []
