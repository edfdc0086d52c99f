"""Effective settings: every value typed, checked, and with the source it came from."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from zoe_tools.config.catalogue import CONSENT, KNOB, KNOBS, UNUSED
from zoe_tools.config.knob import Knob
from zoe_tools.config.sources import MASK, Layer, home_of, read_sources
from zoe_tools.config.thresholds import mismatches, not_followed
from zoe_tools.domain.account import Account, AccountMode, fingerprint_of
from zoe_tools.domain.invariants import InvariantLimits
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.take_profit import TargetMode
from zoe_tools.domain.trading_state import KillLevel
from zoe_tools.errors import ConfigError

LoopMode = Literal["paper", "live", "disabled"]
Tier = Literal["starter", "intermediate", "pro"]

_HOME_SOURCE = "ZOE_HOME"
_NOT_FIELDS = frozenset({"EDGE_FACTORY_MODE", "DATABASE_URL", "SUPABASE_DB_URL", *UNUSED})


class Described(NamedTuple):
    """One line of `zoe config show`; secrets are already masked."""

    name: str
    value: str
    source: str


class _Told(NamedTuple):
    text: str
    source: str
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What this invocation works with. Money in USD, times in seconds, bps and pct as named."""

    home: Path
    mode: AccountMode
    loop_mode: LoopMode
    live_consent: bool
    database_url: str = field(repr=False)
    edge_factory_symbols: tuple[str, ...]
    exchange: str
    kraken_api_key: str = field(repr=False)
    kraken_api_secret: str = field(repr=False)
    kraken_api_key_file: str
    kraken_api_secret_file: str
    kraken_base_url: str
    kraken_ws_public_url: str
    kraken_ws_private_url: str
    kraken_futures_base_url: str
    kraken_tier: Tier
    backup_max_age_hours: Decimal
    alert_exec: tuple[str, ...]
    alert_repeat_seconds: float
    max_notional_per_trade: Decimal
    max_daily_notional: Decimal
    max_open_positions: int
    max_quantity_per_trade: tuple[tuple[str, Decimal], ...]
    max_unexecuted_notional: Decimal | None
    max_position_notional: Decimal | None
    max_exposure_notional: Decimal | None
    allowed_symbols: tuple[str, ...]
    max_open_orders: int
    max_orders_per_minute: int
    max_cancel_ratio_pct: Decimal
    duplicate_window_seconds: float
    price_collar_pct: Decimal
    quote_stale_seconds: float
    allow_withdrawal_key: bool
    stop_loss_pct: Decimal
    stop_deadline_seconds: float
    stop_refusals_until_sale: int
    trailing_stop_pct: Decimal
    break_even_at_pct: Decimal
    max_position_hours: float
    take_profit_pct: Decimal
    take_profit_levels: tuple[tuple[Decimal, Decimal], ...]
    take_profit_mode: str
    allow_targets_without_stop: bool
    stop_trading_on_degraded: bool
    reconcile_cash_tolerance: Decimal
    reconcile_qty_tolerance: Decimal
    reconcile_interval_seconds: float
    reconcile_clean_runs: int
    safe_mode_empty_scan_threshold: int
    safe_mode_market_stale_sec: float
    safe_mode_trades_stale_sec: float
    safe_mode_candle_stale_sec: float
    safe_mode_max_api_errors: int
    safe_mode_api_error_window_sec: float
    dead_man_seconds: int
    invariant_drawdown_warn_pct: Decimal
    invariant_drawdown_crit_pct: Decimal
    invariant_equity_floor: Decimal | None
    invariant_open_notional_crit: Decimal | None
    invariant_positions_warn: Decimal | None
    invariant_positions_crit: Decimal | None
    invariant_position_warn_pct: Decimal | None
    invariant_rejects_warn: Decimal | None
    invariant_api_errors_crit: Decimal | None
    invariant_clock_skew_warn_sec: Decimal | None
    invariant_clock_skew_crit_sec: Decimal | None
    invariant_candle_age_warn_sec: Decimal | None
    invariant_blind_crit_sec: Decimal | None
    invariant_naked_crit_sec: Decimal | None
    invariant_unreconciled_crit_sec: Decimal | None
    invariant_margin_warn_pct: Decimal | None
    invariant_margin_crit_pct: Decimal | None
    invariant_liquidation_crit_pct: Decimal | None
    margin_rearm_after_sec: Decimal
    margin_rearms_per_day: int
    invariant_halt_level: str
    invariant_emergency_level: str
    order_ttl_seconds_entry: float
    order_ttl_seconds_exit: float
    visibility_lag_seconds: float
    max_reprice_attempts: int
    reprice_step_bps: Decimal
    max_cross_spread_bps: Decimal
    liquidity_guard_spread_pct: Decimal
    max_average_slippage_bps: Decimal
    edge_factory_funding_source: str
    edge_factory_funding_poll: float
    edge_factory_funding_stale: float
    edge_factory_funding_rate_max: Decimal
    edge_factory_trend_z_threshold: Decimal
    edge_factory_corwin_schultz_max: Decimal
    edge_factory_min_expected_move: Decimal
    edge_factory_kelly_fraction: Decimal
    edge_factory_max_position_pct: Decimal
    edge_factory_heat_max: Decimal
    edge_factory_consec_loss_max: int
    edge_factory_pos_timeout_hours: float
    edge_factory_symbol_cooldown: float
    edge_factory_daily_turnover_cap: Decimal
    edge_factory_min_trade_notional: Decimal
    edge_factory_min_remaining_equity: Decimal
    md_quote_currency: str
    md_max_ws_pairs: int
    md_default_focus: tuple[str, ...]
    md_focus_flush_ms: int
    md_scout_flush_ms: int
    md_sparkline_interval: float
    md_sparkline_keep_hours: float
    md_mover_momentum_pct: Decimal
    md_mover_volume_accel: Decimal
    md_mover_spread_max_pct: Decimal
    md_mover_focus_min: int
    md_catalog_refresh_hours: float
    warnings: tuple[str, ...] = ()
    """What is suspicious but stops nothing; one sentence each."""
    problems: tuple[tuple[str, str], ...] = ()
    """When read leniently, what else would be refused: a sentence and its hint; warnings too."""
    _told: Mapping[str, _Told] = field(repr=False, default_factory=dict)

    @property
    def symbols(self) -> tuple[str, ...]:
        """`EDGE_FACTORY_SYMBOLS`: spellings for the instrument catalogue to resolve."""
        return self.edge_factory_symbols

    @property
    def has_credentials(self) -> bool:
        """Whether both halves of the live key are there."""
        return bool(self.kraken_api_key and self.kraken_api_secret)

    @property
    def live_account(self) -> Account | None:
        """The account of the live key, where there is one."""
        if not self.kraken_api_key:
            return None
        fingerprint = fingerprint_of(self.kraken_api_key)
        return Account(venue=self.exchange, mode="live", fingerprint=fingerprint)

    @property
    def absent_features(self) -> dict[str, str]:
        """Features that have no configured source, and the setting that would give them one."""
        if self.edge_factory_funding_source:
            return {}
        return {"funding": "EDGE_FACTORY_FUNDING_SOURCE"}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret value in use, for redaction."""
        password = urlsplit(self.database_url).password or ""
        told = [self._told[name].text for name in self._told if name in KNOB and KNOB[name].secret]
        values = (self.kraken_api_key, self.kraken_api_secret, password, unquote(password), *told)
        return tuple(dict.fromkeys(each for each in values if each))

    def source_of(self, name: str) -> str:
        """Where the value of that setting came from, e.g. `environment` or `default`."""
        told = self._told.get(name)
        return told.source if told is not None else "default"

    def policy(self) -> Policy:
        """The limits that the gate enforces."""
        return Policy(
            max_notional_per_trade=self.max_notional_per_trade,
            max_daily_notional=self.max_daily_notional,
            max_open_positions=self.max_open_positions,
            max_quantities=self.max_quantity_per_trade,
            max_unexecuted_notional=self.max_unexecuted_notional,
            max_position_notional=self.max_position_notional,
            max_exposure_notional=self.max_exposure_notional,
            allowed_symbols=self.allowed_symbols or self.edge_factory_symbols,
            max_open_orders=self.max_open_orders,
            max_orders_per_minute=self.max_orders_per_minute,
            max_cancel_ratio_pct=self.max_cancel_ratio_pct,
            duplicate_window_s=self.duplicate_window_seconds,
            price_collar_pct=self.price_collar_pct,
            quote_stale_s=self.quote_stale_seconds,
            market_stale_s=self.safe_mode_market_stale_sec,
            trades_stale_s=self.safe_mode_trades_stale_sec,
            candle_stale_s=self.safe_mode_candle_stale_sec,
            max_api_errors=self.safe_mode_max_api_errors,
            api_error_window_s=self.safe_mode_api_error_window_sec,
            max_empty_scans=self.safe_mode_empty_scan_threshold,
            invariants=self._invariants(),
            allow_withdrawal_key=self.allow_withdrawal_key,
            stop_loss_pct=self.stop_loss_pct,
            stop_deadline_s=self.stop_deadline_seconds,
            stop_refusals_until_sale=self.stop_refusals_until_sale,
            trailing_stop_pct=self.trailing_stop_pct,
            break_even_at_pct=self.break_even_at_pct,
            max_position_age_s=self.max_position_hours * 3600,
            take_profit_pct=self.take_profit_pct,
            take_profit_levels=self.take_profit_levels,
            take_profit_mode=TargetMode(self.take_profit_mode),
            allow_targets_without_stop=self.allow_targets_without_stop,
            liquidity_guard_spread_pct=self.liquidity_guard_spread_pct,
            reconcile_clean_runs=self.reconcile_clean_runs,
            stop_trading_on_degraded=self.stop_trading_on_degraded,
            reconcile_cash_tolerance=self.reconcile_cash_tolerance,
            reconcile_quantity_tolerance=self.reconcile_qty_tolerance,
            order_ttl_entry_s=self.order_ttl_seconds_entry,
            order_ttl_exit_s=self.order_ttl_seconds_exit,
            max_reprice_attempts=self.max_reprice_attempts,
            reprice_step_bps=self.reprice_step_bps,
            max_cross_spread_bps=self.max_cross_spread_bps,
            max_average_slippage_bps=self.max_average_slippage_bps,
            visibility_lag_s=self.visibility_lag_seconds,
        )

    def _invariants(self) -> InvariantLimits:
        return InvariantLimits(
            drawdown_warn_pct=self.invariant_drawdown_warn_pct,
            drawdown_crit_pct=self.invariant_drawdown_crit_pct,
            equity_floor=self.invariant_equity_floor,
            open_notional_crit=self.invariant_open_notional_crit,
            positions_warn=self.invariant_positions_warn,
            positions_crit=self.invariant_positions_crit,
            position_warn_pct=self.invariant_position_warn_pct,
            rejects_warn=self.invariant_rejects_warn,
            api_errors_crit=self.invariant_api_errors_crit,
            clock_skew_warn_s=self.invariant_clock_skew_warn_sec,
            clock_skew_crit_s=self.invariant_clock_skew_crit_sec,
            blind_crit_s=self.invariant_blind_crit_sec,
            naked_crit_s=self.invariant_naked_crit_sec,
            unreconciled_crit_s=self.invariant_unreconciled_crit_sec,
            margin_warn_pct=self.invariant_margin_warn_pct,
            margin_crit_pct=self.invariant_margin_crit_pct,
            liquidation_crit_pct=self.invariant_liquidation_crit_pct,
            margin_rearm_after_s=self.margin_rearm_after_sec,
            margin_rearms_per_day=self.margin_rearms_per_day,
            candle_age_warn_s=self.invariant_candle_age_warn_sec,
            halt_level=KillLevel.parse(self.invariant_halt_level),
            emergency_level=KillLevel.parse(self.invariant_emergency_level),
        )

    def values(self) -> dict[str, object]:
        """Every value by the name of its setting, as far as it is one of these fields."""
        names = (knob.name for knob in KNOBS if knob.name not in _NOT_FIELDS)
        return {name: getattr(self, name.lower()) for name in names}

    def described(self) -> tuple[Described, ...]:
        """Every effective value with its source, secrets masked, in the catalogue's order."""
        return tuple(self._describe())

    def _describe(self) -> Iterator[Described]:
        yield Described("ZOE_HOME", str(self.home), self.source_of(_HOME_SOURCE))
        for knob in KNOBS:
            told = self._told.get(knob.name)
            text = told.text if told is not None else knob.default
            if knob.name == "DATABASE_URL":
                text = masked_url(self.database_url)
            elif text and knob.read is KNOB["DATABASE_URL"].read:
                text = masked_url(text)
            elif text and knob.secret:
                text = MASK
            yield Described(knob.name, text, self.source_of(knob.name))
        consent = "1" if self.live_consent else ""
        yield Described(CONSENT, consent, "environment" if consent else "default")


def masked_url(url: str) -> str:
    """The address without its password."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", f":{MASK}@") if password else url


def load_settings(
    environ: Mapping[str, str],
    *,
    home: Path | None = None,
    options: Mapping[str, str] | None = None,
    lenient: bool = False,
) -> Settings:
    """Resolve every setting.

    `options` holds the global options (`account`, `profile`, `config`, `ZOE_HOME`) and settings
    by their names. `lenient` (kill, status, health) turns every problem but a wrong mode or venue
    into a warning: those commands must work when the configuration does not.

    Raises:
        ConfigError: an unknown or malformed setting, limits that contradict each other, a live
            account without complete credentials; the sentence names the setting and its source.
    """
    options = options or {}
    where = home_of(environ, options, home)
    sources = read_sources(environ, home=where, options=options, lenient=lenient)
    problems = _Problems(lenient=lenient, warnings=[*sources.warnings])
    for problem in sources.problems:
        problems.add(problem, hint="See docs/reference/settings.md for every name.")
    told = _strongest(sources.layers)
    values = {knob.name: _read(knob, told, problems) for knob in KNOBS}
    _read_secret_files(values, told, where, problems)
    loop_mode: Any = values["EDGE_FACTORY_MODE"]
    mode: AccountMode = "live" if loop_mode == "live" else "paper"
    told_home: dict[str, _Told] = {}
    if home is not None or _HOME_SOURCE in {*options, *environ}:
        source = "option" if home is not None or _HOME_SOURCE in options else "environment"
        told_home = {_HOME_SOURCE: _Told(str(where), source, 0)}
    _check_limits(values, problems)
    _check_credentials(mode, values, problems)
    _explain_unused(told, problems)
    by_field: dict[str, Any] = {
        name.lower(): value for name, value in values.items() if name not in _NOT_FIELDS
    }
    return Settings(
        home=where,
        mode=mode,
        loop_mode=loop_mode,
        live_consent=environ.get(CONSENT) == "1",
        database_url=_database(values, told, where, problems),
        warnings=tuple(problems.warnings),
        problems=tuple(problems.found),
        _told={**told, **told_home},
        **by_field,
    )


# --- how each value is found and read ------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Problems:
    """Raises, or remembers when lenient."""

    lenient: bool
    warnings: list[str]
    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, sentence: str, *, hint: str = "") -> None:
        if not self.lenient:
            raise ConfigError(sentence, hint=hint)
        self.warnings.append(sentence)
        self.found.append((sentence, hint))


def _strongest(layers: tuple[Layer, ...]) -> dict[str, _Told]:
    """For each setting the first layer that says something; an empty text says nothing."""
    told: dict[str, _Told] = {}
    for rank, layer in enumerate(layers):
        for name, text in layer.values.items():
            if text.strip() and name in KNOB and name not in told:
                told[name] = _Told(text.strip(), layer.source, rank)
    return told


def _read(knob: Knob, told: Mapping[str, _Told], problems: _Problems) -> object:
    entry = told.get(knob.name)
    if entry is None:
        return knob.read(knob.default) if knob.default else knob.unset
    try:
        return knob.read(entry.text)
    except ValueError as error:
        sentence = f"{knob.name} ({entry.source}): {error}."
        if knob.name in {"EDGE_FACTORY_MODE", "EXCHANGE"}:
            # Guessing here could mean the wrong account: an error even for kill and status.
            raise ConfigError(sentence, hint=f"{knob.name}: {knob.about}") from error
        problems.add(sentence, hint=f"{knob.name}: {knob.about}")
        return knob.read(knob.default) if knob.default else knob.unset


def _read_secret_files(
    values: dict[str, object], told: dict[str, _Told], home: Path, problems: _Problems
) -> None:
    for name in ("KRAKEN_API_KEY", "KRAKEN_API_SECRET"):
        direct, by_file = told.get(name), told.get(f"{name}_FILE")
        if by_file is None or (direct is not None and direct.rank < by_file.rank):
            continue
        if direct is not None and direct.rank == by_file.rank:
            problems.add(f"{direct.source} gives both {name} and {name}_FILE.", hint="Keep one.")
        path = home / Path(by_file.text).expanduser()
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.add(
                f"{name}_FILE ({by_file.source}): {path} cannot be read: {error}.",
                hint="A relative path is looked up in ZOE_HOME.",
            )
            continue
        if not text:
            problems.add(f"{name}_FILE ({by_file.source}): {path} is empty.")
            continue
        values[name] = text
        told[name] = _Told(text, str(path), by_file.rank)


def _database(
    values: Mapping[str, object], told: dict[str, _Told], home: Path, problems: _Problems
) -> str:
    names = [name for name in ("DATABASE_URL", "SUPABASE_DB_URL") if name in told]
    if not names:
        return f"sqlite:///{home / 'zoe.db'}"
    winner = min(names, key=lambda name: told[name].rank)
    if len({values[name] for name in names}) > 1:
        problems.warnings.append(
            f"DATABASE_URL and SUPABASE_DB_URL differ; {winner} ({told[winner].source}) counts."
        )
    told["DATABASE_URL"] = told[winner]
    return _absolute(str(values[winner]), home) or f"sqlite:///{home / 'zoe.db'}"


def _absolute(url: str, home: Path) -> str:
    """A relative SQLite path is looked up in the home: never in whatever folder cron is in."""
    scheme, _, path = url.partition(":///")
    if not scheme.startswith("sqlite") or not path or path.startswith(("/", ":memory:", "file:")):
        return url
    return f"{scheme}:///{home / path}"


# --- what must fit together ----------------------------------------------------------------------


def _check_limits(values: Mapping[str, Any], problems: _Problems) -> None:
    for each in mismatches(values):
        problems.add(each.sentence, hint=each.hint)
    problems.warnings.extend(not_followed(values))


def _check_credentials(mode: AccountMode, values: Mapping[str, Any], problems: _Problems) -> None:
    key, secret = values["KRAKEN_API_KEY"], values["KRAKEN_API_SECRET"]
    missing = [
        name
        for name, value in (("KRAKEN_API_KEY", key), ("KRAKEN_API_SECRET", secret))
        if not value
    ]
    if mode == "live" and missing:
        problems.add(
            f"The account is live, and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing.",
            hint="Set them (or their *_FILE), or choose the paper account: --account paper.",
        )
    if secret:
        try:
            base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            sentence = "KRAKEN_API_SECRET is malformed: it is not base64."
            if mode == "live":
                problems.add(sentence, hint="Copy the private key from Kraken again, whole.")
            else:
                problems.warnings.append(sentence)


def _explain_unused(told: Mapping[str, _Told], problems: _Problems) -> None:
    for name in UNUSED:
        if name in told:
            problems.warnings.append(
                f"{name} ({told[name].source}) is not used: zoe talks to the database itself, "
                "by DATABASE_URL or SUPABASE_DB_URL."
            )
