"""Where values come from: options, profiles, the environment, two files. Texts only, no meaning.

Each source becomes a `Layer`; the first layer that names a setting wins. Unknown names are
collected as problems with a did-you-mean.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from zoe_tools.config.catalogue import (
    BUILT_IN_PROFILES,
    CONSENT,
    ENVIRONMENT_ONLY,
    KNOB,
    KNOWN_NAMES,
    OWN_PREFIXES,
)
from zoe_tools.errors import ConfigError

T = TypeVar("T")

MASK = "********"
_NEAR = 0.84
"""How alike two names must be before we speak up; below it, other programs' names match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One source: its name for the operator, and the texts it gives."""

    source: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All layers, the strongest first, and what is wrong or suspicious about them."""

    layers: tuple[Layer, ...]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def process_environment() -> dict[str, str]:
    """The environment of this process, as it is now."""
    return dict(os.environ)  # noqa: TID251 - the one reader


def default_home() -> Path:
    """The platform's data folder for zoe."""
    import platformdirs  # noqa: PLC0415 - most commands are told where their home is

    return Path(platformdirs.user_data_dir("zoe", appauthor=False))


def home_of(environ: Mapping[str, str], options: Mapping[str, str], home: Path | None) -> Path:
    """The folder that holds settings, database and logs; made absolute.

    Raises:
        ConfigError: ZOE_HOME is not an absolute path, so that cron would mean another folder.
    """
    told = options.get("ZOE_HOME") or environ.get("ZOE_HOME")
    if told is not None and not told.strip():
        raise ConfigError(
            "ZOE_HOME is set and empty.",
            hint="Give the whole path, or unset it for the platform's data folder.",
        )
    if home is not None or told is None:
        return (home or default_home()).expanduser().absolute()
    path = Path(told).expanduser()
    if not path.is_absolute():
        raise ConfigError(
            f"ZOE_HOME is {told!r}, which means another folder in every working folder.",
            hint=f"Give the whole path: ZOE_HOME={path.absolute()}",
        )
    return path


def read_sources(
    environ: Mapping[str, str], *, home: Path, options: Mapping[str, str], lenient: bool = False
) -> Sources:
    """Read every source; when `lenient`, a file that cannot be read is a problem, not an error.

    Raises:
        ConfigError: a file cannot be read or parsed; a profile or account has no such name.
    """
    broken: list[str] = []
    told = options.get("config", "")
    config_file = Path(told).expanduser() if told else home / "zoe.toml"
    if told and not config_file.is_file():
        raise ConfigError(f"There is no configuration file {config_file}.", hint="See --config.")
    dotenv_file = home / ".env"
    survive = broken if lenient else None
    document: dict[str, Any] = _attempt(_read_toml, config_file, survive)
    dotenv: dict[str, str] = _attempt(_read_dotenv, dotenv_file, survive)
    top = {name: value for name, value in document.items() if name not in {"profiles", "accounts"}}
    layers = (
        Layer(source="option", values={name: options[name] for name in options if name in KNOB}),
        *_named_layers("account", options.get("account", ""), document, config_file),
        *_named_layers("profile", options.get("profile", ""), document, config_file),
        Layer(
            source="environment",
            values={name: environ[name] for name in KNOB if name in environ},
        ),
        Layer(source=str(config_file), values=_texts(top, config_file, survive)),
        Layer(source=str(dotenv_file), values=dotenv),
    )
    problems = [problem for layer in layers for problem in _unknown_in(layer)]
    return Sources(
        layers=layers,
        problems=(*broken, *problems, *_unknown_own_names(environ)),
        warnings=(*_near_misses(environ), *_open_files(dotenv_file)),
    )


def account_names(environ: Mapping[str, str], *, options: Mapping[str, str]) -> tuple[str, ...]:
    """Every name that `--account` takes: the built-in ones, then those of the file.

    Raises:
        ConfigError: the file cannot be read or parsed.
    """
    told = options.get("config", "")
    home = home_of(environ, options, None)
    file = Path(told).expanduser() if told else home / "zoe.toml"
    tables: object = (_read_toml(file) if file.is_file() else {}).get("accounts", {})
    named = tables if isinstance(tables, dict) else {}
    return tuple(dict.fromkeys((*BUILT_IN_PROFILES, *map(str, named))))


def _attempt(
    read: Callable[[Path], dict[str, T]], path: Path, survive: list[str] | None
) -> dict[str, T]:
    """What the file says, nothing where there is none; errors go to `survive` if it is given."""
    try:
        return read(path) if path.is_file() else {}
    except ConfigError as error:
        if survive is None:
            raise
        survive.append(error.message)
        return {}
    except PermissionError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error


def did_you_mean(name: str, among: Iterable[str]) -> str:
    """` Did you mean X?`, or nothing."""
    folded = {each.upper().replace("-", "_"): each for each in among}
    near = difflib.get_close_matches(name.upper().replace("-", "_"), list(folded), n=1, cutoff=0.6)
    return f" Did you mean {folded[near[0]]}?" if near else ""


def _unknown_in(layer: Layer) -> Iterable[str]:
    for name in layer.values:
        if name in ENVIRONMENT_ONLY:
            yield f"{name} stands in {layer.source}; it counts in the process environment only."
        elif name not in KNOB:
            yield f"{name} in {layer.source} is no setting.{did_you_mean(name, KNOWN_NAMES)}"


def _unknown_own_names(environ: Mapping[str, str]) -> Iterable[str]:
    for name in sorted(environ):
        if name.startswith(OWN_PREFIXES) and name not in KNOWN_NAMES:
            yield f"{name} in the environment is no setting.{did_you_mean(name, KNOWN_NAMES)}"


def _near_misses(environ: Mapping[str, str]) -> Iterable[str]:
    for name in sorted(environ):
        if name in KNOWN_NAMES or name.startswith(OWN_PREFIXES):
            continue
        near = difflib.get_close_matches(name.upper(), KNOWN_NAMES, n=1, cutoff=_NEAR)
        if near:
            yield f"{name} in the environment is no setting of zoe. Did you mean {near[0]}?"
    if environ.get(CONSENT, "") not in {"", "0", "1"}:
        yield f"{CONSENT} is {environ[CONSENT]!r}; only {CONSENT}=1 is consent."


def _open_files(dotenv_file: Path) -> Iterable[str]:
    try:
        others = dotenv_file.stat().st_mode & 0o077
    except OSError:
        return
    if others:
        yield f"{dotenv_file} may be read by others; run: chmod 600 {dotenv_file}"


def _named_layers(
    what: str, name: str, document: Mapping[str, Any], config_file: Path
) -> Iterable[Layer]:
    """What the file says of a profile or account, then what is built in."""
    if not name:
        return
    told: object = document.get(f"{what}s", {})
    tables = told if isinstance(told, dict) else {}
    if name not in tables and name not in BUILT_IN_PROFILES:
        known = sorted({*tables, *BUILT_IN_PROFILES})
        raise ConfigError(
            f"There is no {what} called {name!r}.{did_you_mean(name, known)}",
            hint=f"Known: {', '.join(known)}; others are [{what}s.NAME] tables in {config_file}.",
        )
    source = f"{what} {name}"
    if name in tables:
        yield Layer(source=source, values=_texts(tables[name], config_file))
    if name in BUILT_IN_PROFILES:
        built_in = BUILT_IN_PROFILES[name]
        mode_only = {"EDGE_FACTORY_MODE": built_in["EDGE_FACTORY_MODE"]}
        yield Layer(source=source, values=built_in if what == "profile" else mode_only)


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - only where the file exists

    try:
        # Numbers stay the text they were: 0.1 must not pass through a float.
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=str)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}.", hint="Correct that line.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error


def _texts(table: object, path: Path, survive: list[str] | None = None) -> dict[str, str]:
    """The table's settings as text; what is none goes to `survive` if it is given."""
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: a profile or an account is a table of settings.")
    values: dict[str, str] = {}
    for name, value in table.items():
        try:
            values[str(name)] = _text_of(str(name), value, path)
        except ConfigError as error:
            if survive is None:
                raise
            survive.append(error.message)
    return values


def _text_of(name: str, value: object, path: Path) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    raise ConfigError(
        f"{name} in {path} is a {type(value).__name__}; "
        "a setting is a text, a number or a list of texts.",
        hint=f"Known names stand in the template that `zoe init` writes.{did_you_mean(name, KNOB)}",
    )


def _read_dotenv(path: Path) -> dict[str, str]:
    import io  # noqa: PLC0415 - only where the file exists

    from dotenv.parser import parse_stream  # noqa: PLC0415 - slow, and only where the file exists

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        original = binding.original.string
        blank = original[: len(original) - len(original.lstrip())].count("\n")
        line = binding.original.line + blank
        if binding.error or (binding.key is not None and binding.value is None):
            raise ConfigError(
                f"{path} line {line} is not NAME=value.", hint="Correct or comment out the line."
            )
        if binding.key is not None and binding.value is not None:
            if binding.key in values:
                raise ConfigError(f"{path} line {line} sets {binding.key} a second time.")
            values[binding.key] = binding.value
    return values
