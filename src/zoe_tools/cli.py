"""The command tree: global options, commands loaded when they are called, errors to exit codes.

A command is one line in `COMMANDS`: `config show` is the function `config_show` in
`commands/config_show.py`. The line's help must equal the first sentence of the function's
docstring (a test compares), so that `zoe --help` imports no command.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import logging
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar, cast

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.exceptions import TyperException
from typing_extensions import override

from zoe_tools import __version__
from zoe_tools.commands.invocation import GlobalOptions, Invocation
from zoe_tools.config import default_home, home_of, process_environment
from zoe_tools.domain.words import one_line
from zoe_tools.errors import ConfigError, Interrupted, StoreUnavailable, ZoeError
from zoe_tools.observe import log
from zoe_tools.observe.outlet import EDGE, Outlet
from zoe_tools.render.printer import USUAL, Printer

if TYPE_CHECKING:
    from collections.abc import MutableMapping

COMMANDS: dict[str, str] = {
    "run": "Run the trading loop on the account.",
    "init": "Make the home folder: settings template and database.",
    "pre-flight": "Check every precondition of going live.",
    "check-live-readiness": "Check whether the live account could be traded from here now.",
    "health": "Say in one line whether the loop is well, for cron and monitors.",
    "status": "Show the account on one screen, without asking the venue.",
    "sync-positions": (
        "Bring the registry of positions in line with the real fills, and protect each position."
    ),
    "recover-sl": "Find and link each position's stop at the venue, and place a missing one.",
    "check-tp-coverage": "Show how much of each position its stop and its target cover.",
    "repair-tp": (
        "Fit the targets of each position: place what is missing, take back what is too much."
    ),
    "reconcile": "Compare our books with the venue's own records, and explain every difference.",
    "backfill": "Find the candles that the store lacks, and fetch those that the venue still has.",
    "orders": "List the orders there are, by own books and by the venue.",
    "orders cancel": (
        "Cancel open orders: those named, those of an instrument, or all that are zoe's."
    ),
    "fills": "List the executions in zoe's own books, without asking the venue.",
    "monitor-trade-execution": (
        "Tell how orders are filled: how many, how fast, at what price, as maker or taker."
    ),
    "pnl": "Report what was won and lost, by lots, and what the account is worth.",
    "pnl basis": "Tell what a deposit had cost, or list what came in without a cost.",
    "positions": (
        "List the positions that zoe manages, what they are worth, and what is not zoe's."
    ),
    "markets": "Watch the instruments of the venue: prices, states, movers, and what is in focus.",
    "markets focus": "List the instruments in focus and why, or put some there by hand.",
    "markets history": "Draw the stored candles of an instrument, without asking the venue.",
    "markets record": (
        "Record books and prints of instruments, frame by frame, into files that can be replayed."
    ),
    "ledger": "List the account's ledger as it is in the books, or prove every balance.",
    "ledger import": "Import the account's ledger into the books, and prove every balance.",
    "apply": "Carry out a saved plan, if planning again gives the same.",
    "kill": "Stop trading: latch the level, cancel what could add risk, prove it at the venue.",
    "kill status": "Show whether trading is stopped, at which level, why and since when.",
    "resume": "Allow new risk again after a kill, if the checklist is clean.",
    "breaker": "Show the API circuit breaker of the account's key, or force it open or closed.",
    "explain": (
        "Tell the story of an order, intent, plan, position or execution; or what a code means."
    ),
    "check-db-health": "Look the database over: its rows, what guards them, its room and its copy.",
    "audit init": "Make the key that signs the audit log, and sign what there is of it.",
    "audit verify": "Check that nobody changed, removed or added a row of the audit log.",
    "config check": "Check the settings: what is wrong, contradicts itself, or is dangerous.",
    "config set": (
        "Tighten a limit of the account in the store; loop and commands heed it within a second."
    ),
    "config show": "Show every effective setting and where it comes from.",
    "db upgrade": "Bring the database to the newest schema.",
    "db status": "Show the database's schema version.",
    "db backup": "Copy the database into a file while it is in use.",
    "db prune": (
        "Remove old rows of the audit log, settled intents and observations of the account."
    ),
    "paper serve": "Serve the paper exchange in the foreground.",
    "paper reset": "Delete the paper exchange's state.",
    "paper fund": "Pay money into an account of the paper exchange, or take it out.",
    "paper key": (
        "Make an API key at the paper exchange, as limited as you say, or show those there are."
    ),
    "paper fault": "Make the paper exchange fail, in a way and at a time of your choice.",
}
"""Name -> first sentence of its help. One line per command."""

GROUPS: dict[str, str] = {
    "audit": "The log of everything that was done: signed, and checked.",
    "config": "Settings: where each value comes from, whether they fit, and tighter limits.",
    "db": "The database: migrations and state.",
    "paper": "The embedded exchange on its own.",
}
"""Names that only group commands."""

_META = "zoe_tools.options"
_ALSO_HERE = "--json, --account, --profile, --config, --no-color and -v work here too: zoe --help"
_BUG, _USAGE = 1, 2
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_ACCESS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENOENT}
)
OptionKind = TypeVar("OptionKind", bound=TyperOption)
_log = logging.getLogger(__name__)


def main(
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Run one command line; returns the exit code. Arguments default to the process's own."""
    # What was typed in another encoding, or with a line break, must not fail at the books.
    args = [one_line(each) for each in (sys.argv[1:] if argv is None else argv)]
    environment = process_environment() if environ is None else environ
    door = _Door(
        args,
        environment,
        out or _stream(sys.stdout, "stdout"),
        err or _stream(sys.stderr, "stderr"),
    )
    # What the libraries warn of waits for no reader, either.
    with contextlib.redirect_stderr(door.err):
        return door.run()


def _stream(stream: TextIO | None, name: str) -> TextIO:
    """A stream that was closed before we began (`>&-`, some supervisors) swallows what it gets."""
    # Typed as never None, and None all the same.
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    return cast("TextIO", Outlet(stream, name))


class _Door:
    """Everything goes in and every error comes out here."""

    def __init__(
        self, args: list[str], environ: Mapping[str, str], out: TextIO, err: TextIO
    ) -> None:
        self.environ = environ
        self.out = out
        self.err = err
        self._args = args or ["--help"]
        # Errors may come before the options are parsed; then a glance at the words must do.
        self._words = args[: args.index("--")] if "--" in args else args
        self.printer = self.new_printer("", GlobalOptions(json="--json" in self._words))

    def new_printer(self, command: str, options: GlobalOptions) -> Printer:
        """A printer for these options and this terminal."""
        is_terminal = self.out.isatty()
        told = self.environ.get("COLUMNS", "")
        columns = shutil.get_terminal_size((USUAL, 24)).columns if is_terminal else USUAL
        self.printer = Printer(
            out=self.out,
            err=self.err,
            command=command,
            json=options.json,
            color=is_terminal and not options.no_color and not self.environ.get("NO_COLOR"),
            width=int(told) if told.isdecimal() else columns,
            again=options.again,
            is_terminal=is_terminal,
        )
        return self.printer

    def run(self) -> int:
        """The command's exit code, or the error's."""
        try:
            code = self._dispatch()
            if code == Interrupted.exit_code:  # Typer has turned it into a number already
                self.printer.error(Interrupted("Interrupted."))
        except ZoeError as error:
            self._note(error)
            self.printer.error(error)
            code = error.exit_code
        except (KeyboardInterrupt, typer.Abort):
            self.printer.error(Interrupted("Interrupted."))
            code = Interrupted.exit_code
        except OSError as error:
            code = self._surroundings(error)
        except Exception as error:  # noqa: BLE001 - the door: a bug is reported, not thrown at the user
            code = self._bug(error)
        finally:
            lost = ""
            with contextlib.suppress(KeyboardInterrupt):  # who cannot wait has seen enough
                log.tear_down()
                lost = EDGE.end()
        lost = self.printer.lost or lost
        if lost and code != _BUG:
            self.printer.error(ConfigError(f"Output was lost: {lost}."))
            return code or _USAGE
        return code

    def _dispatch(self) -> int:
        try:
            returned = command_tree(self).main(
                args=self._args, prog_name="zoe", standalone_mode=False
            )
        except TyperException as error:
            usage = getattr(error, "ctx", None)
            path = usage.command_path if usage is not None else "zoe"
            raise ConfigError(error.format_message(), hint=f"See `{path} --help`.") from error
        except SystemExit as error:  # the completion scripts leave this way
            return error.code if isinstance(error.code, int) else 0
        return returned if isinstance(returned, int) else 0

    def _surroundings(self, error: OSError) -> int:
        """A full disk or a forbidden file is the operator's business, anything else a bug."""
        where = f" {error.filename}" if error.filename else ""
        known: ZoeError | None = None
        if error.errno in _NO_ROOM:
            known = StoreUnavailable(
                f"Cannot write{where}: {error.strerror}.", hint="Make room and run it again."
            )
        elif error.errno in _NO_ACCESS and where:
            known = ConfigError(
                f"Cannot use{where}: {error.strerror}.", hint="Check the path and its permissions."
            )
        if known is None:
            return self._bug(error)
        self.printer.error(known)
        return known.exit_code

    def _note(self, error: ZoeError) -> None:
        """Keep the errors that dashboards wait for."""
        if error.message.startswith("THRESHOLD_MISMATCH"):
            self._listen()
            log.event(_log, "THRESHOLD_MISMATCH", "error", detail=error.message, hint=error.hint)

    def _bug(self, error: Exception) -> int:
        self._listen()
        _log.error("unexpected: %s", error, exc_info=error)
        bug = ZoeError(
            f"A bug in zoe: {type(error).__name__}: {error}",
            hint="The traceback is in logs/zoe.log in ZOE_HOME; with -v it is shown here.",
        )
        self.printer.error(bug)
        return _BUG

    def _listen(self) -> None:
        """Open the log although the command did not get as far as its settings."""
        if log.is_set_up():
            return
        verbosity = 1 if {"-v", "-vv", "--verbose"} & set(self._words) else 0
        try:
            home = home_of(self.environ, {}, None)
        except ConfigError:
            home = default_home()
        log.set_up(home, verbosity=verbosity, stderr=self.err)


# --- the tree ------------------------------------------------------------------------------------


class Command(TyperCommand):
    """A command that finds its `Invocation` in `ctx.obj`."""

    door: _Door
    full_name: str

    @override
    def get_help_option(self, ctx: Any) -> Any:
        return _turned_into(Flag, super().get_help_option(ctx))

    @override
    def invoke(self, ctx: Any) -> Any:
        options = GlobalOptions(**ctx.find_root().meta.get(_META, {}))
        ctx.obj = Invocation(
            command=self.full_name,
            options=options,
            environ=self.door.environ,
            output=self.door.new_printer(self.full_name, options),
        )
        return super().invoke(ctx)


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are called, not when they are listed."""

    door: _Door
    prefix: str = ""

    @override
    def get_help_option(self, ctx: Any) -> Any:
        return _turned_into(Flag, super().get_help_option(ctx))

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        names = [name[len(self.prefix) :] for name in COMMANDS if name.startswith(self.prefix)]
        return list(dict.fromkeys(name.split(" ")[0] for name in names))

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        name = self.prefix + cmd_name
        if name in COMMANDS:
            return load_command(self.door, name)
        if not self.prefix and name in GROUPS:
            return _group(self.door, f"{name} ", GROUPS[name])
        return None

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # `kill` is a command and `kill status` another: the longer name wins.
        longer = " ".join(args[:2])
        if not self.prefix and longer in COMMANDS and args[0] in COMMANDS:
            return longer, load_command(self.door, longer), args[2:]
        self.commands: MutableMapping[str, Any] = dict.fromkeys(self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = [
            (name, GROUPS[name] if name in GROUPS and not self.prefix else told)
            for name in self.list_commands(ctx)
            if (told := COMMANDS.get(self.prefix + name, "")) or name in GROUPS
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    @override
    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        # The library would import every command to ask for its help.
        from typer._click.shell_completion import CompletionItem  # noqa: PLC0415 - rare

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [
            CompletionItem(name, help=COMMANDS.get(self.prefix + name, GROUPS.get(name, "")))
            for name in names
        ]
        return found or super(TyperGroup, self).shell_complete(ctx, incomplete)


def command_tree(door: _Door) -> LazyGroup:
    """The whole tree, with nothing imported yet."""
    return _group(
        door,
        "",
        "zoe looks after a Kraken account: it looks, plans, shows the plan, and only when told so "
        "changes anything.",
    )


def load_command(door: _Door, name: str) -> Command:
    """Import one command and make it callable."""
    identifier = name.replace(" ", "_").replace("-", "_")
    module = importlib.import_module(f"zoe_tools.commands.{identifier}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name=name.rsplit(" ", maxsplit=1)[-1], cls=Command, epilog=_ALSO_HERE)(
        getattr(module, identifier)
    )
    command = typer.main.get_command(app)
    if not isinstance(command, Command):
        raise TypeError(f"{name} is no command")
    # The library re-wraps paragraphs, except behind this mark.
    command.help = (command.help or "").replace("\nExamples:", "\n\b\nExamples:")
    command.door = door
    command.full_name = name
    own = {option for each in command.params for option in each.opts}
    command.params += [each for each in _globals(hidden=True) if own.isdisjoint(each.opts)]
    return command


def _group(door: _Door, prefix: str, about: str) -> LazyGroup:
    app = typer.Typer(
        cls=LazyGroup,
        help=about,
        add_completion=not prefix,
        rich_markup_mode=None,
        no_args_is_help=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(_root_options if not prefix else _no_options)
    group = typer.main.get_command(app)
    if not isinstance(group, LazyGroup):
        raise TypeError("the tree is no group")
    group.door = door
    group.prefix = prefix
    flags = [_turned_into(Flag, each) for each in group.params]
    group.params = [*_globals(hidden=bool(prefix)), *flags]
    return group


# --- global options ------------------------------------------------------------------------------


class Flag(TyperOption):
    """A flag, taken as the parser gives it.

    The library's own conversion loads a validation framework: a tenth of `zoe status`.
    """

    @override
    def process_value(self, ctx: Any, value: Any) -> Any:
        return bool(value) if self.callback is None else self.callback(ctx, self, bool(value))


class GlobalOption(TyperOption):
    """Kept wherever on the line it stands; the last one counts. Converted as little as a flag.

    An empty name, as of a variable that is not set, is an error: left out it means another thing.
    """

    @override
    def process_value(self, ctx: Any, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            raise ConfigError(
                f"{self.opts[0]} names none: nothing has been done.",
                hint="Leave the option out if none is meant.",
            )
        if value:
            ctx.find_root().meta.setdefault(_META, {})[self.name] = value
        return value


def _show_version(_ctx: typer.Context, _param: typer.CallbackParam, value: Any) -> None:
    if value:
        typer.echo(f"zoe {__version__}")
        raise typer.Exit


def _globals(*, hidden: bool) -> list[Any]:
    def option(*names: str, about: str, **more: Any) -> Any:
        return typer.Option(
            None,
            *names,
            help=about,
            hidden=hidden,
            expose_value=False,
            show_default=False,
            **more,
        )

    def template(
        *,
        json: bool = option("--json", about="Answer with one JSON object on stdout."),
        account: str = option("--account", about="paper, live, or a name from zoe.toml."),
        profile: str = option("--profile", about="A set of settings: paper, live, or yours."),
        config: str = option("--config", about="Use this file instead of zoe.toml."),
        no_color: bool = option("--no-color", about="No colour; so does NO_COLOR."),
        verbosity: int = option(
            "-v", "--verbose", about="Show the log on stderr; -vv all of it.", count=True
        ),
    ) -> None:
        """Never called: only its options are taken."""

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(template)
    return [_turned_into(GlobalOption, each) for each in typer.main.get_command(app).params]


def _turned_into(kind: type[OptionKind], option: object) -> OptionKind:
    made = kind.__new__(kind)
    vars(made).update(vars(option))
    return made


def _root_options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """The root does nothing by itself."""


def _no_options() -> None:
    """A group does nothing by itself."""
