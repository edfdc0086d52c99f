"""Where a setting's value comes from, what is refused, and what only warns."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoe_tools.config import KNOBS, MASK, Settings, env_template, load_settings
from zoe_tools.domain.account import fingerprint_of
from zoe_tools.domain.policy import Policy
from zoe_tools.errors import ConfigError

SECRET = "c2VjcmV0IGhhbGYgb2YgdGhlIGtleQ=="
LIVE = {
    "EDGE_FACTORY_MODE": "live",
    "KRAKEN_API_KEY": "public-half",
    "KRAKEN_API_SECRET": SECRET,
}


def load(home: Path, environ: Mapping[str, str] | None = None, **options: str) -> Settings:
    """Settings of that home."""
    return load_settings(environ or {}, home=home, options=options)


def refused(home: Path, environ: Mapping[str, str] | None = None, **options: str) -> ConfigError:
    """The error that these settings are refused with."""
    with pytest.raises(ConfigError) as caught:
        load(home, environ, **options)
    return caught.value


# --- precedence ----------------------------------------------------------------------------------


def test_each_source_outranks_the_ones_below_it(tmp_path: Path) -> None:
    """Option > environment > zoe.toml > .env > default, and the source is remembered."""
    name = "MAX_OPEN_POSITIONS"
    found = [(load(tmp_path).max_open_positions, load(tmp_path).source_of(name))]
    (tmp_path / ".env").write_text(f"{name}=4\n")
    found.append((load(tmp_path).max_open_positions, load(tmp_path).source_of(name)))
    (tmp_path / "zoe.toml").write_text(f"{name} = 5\n")
    found.append((load(tmp_path).max_open_positions, load(tmp_path).source_of(name)))
    environ = {name: "6"}
    settings = load(tmp_path, environ)
    found.append((settings.max_open_positions, settings.source_of(name)))
    settings = load(tmp_path, environ, **{name: "7"})
    found.append((settings.max_open_positions, settings.source_of(name)))

    expected = [
        (3, "default"),
        (4, str(tmp_path / ".env")),
        (5, str(tmp_path / "zoe.toml")),
        (6, "environment"),
        (7, "option"),
    ]
    assert expected == found


def test_the_working_folder_is_never_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cron and a shell elsewhere mean the same account."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".env").write_text("MAX_OPEN_POSITIONS=9\n")
    (elsewhere / "zoe.toml").write_text("MAX_OPEN_POSITIONS = 9\n")
    monkeypatch.chdir(elsewhere)

    assert load(tmp_path / "home").max_open_positions == 3


def test_a_relative_home_is_refused() -> None:
    """It would mean another folder in every working folder."""
    with pytest.raises(ConfigError, match="ZOE_HOME"):
        load_settings({"ZOE_HOME": "some/where"})


def test_an_empty_home_is_a_mistake_not_the_default() -> None:
    """A cron line whose variable came to nothing must not trade another account."""
    with pytest.raises(ConfigError, match="set and empty"):
        load_settings({"ZOE_HOME": ""})


def test_zero_is_a_value_and_an_empty_text_is_none(tmp_path: Path) -> None:
    """0 stops entries; an empty variable falls through to the next source."""
    (tmp_path / ".env").write_text("MAX_REPRICE_ATTEMPTS=2\n")
    environ = {"MAX_DAILY_NOTIONAL": "0", "MAX_REPRICE_ATTEMPTS": "", "MAX_OPEN_POSITIONS": "0"}

    settings = load(tmp_path, environ)

    assert settings.max_daily_notional == Decimal(0)
    assert settings.max_open_positions == 0
    assert settings.max_reprice_attempts == 2


def test_numbers_in_toml_stay_the_text_they_were(tmp_path: Path) -> None:
    """Nothing passes through a float."""
    (tmp_path / "zoe.toml").write_text("RECONCILE_QTY_TOLERANCE = 0.1000000000000000055\n")

    assert load(tmp_path).reconcile_qty_tolerance == Decimal("0.1000000000000000055")


def test_another_file_can_stand_for_zoe_toml(tmp_path: Path) -> None:
    """`--config FILE`; one that is not there is an error."""
    (tmp_path / "zoe.toml").write_text("MAX_OPEN_POSITIONS = 5\n")
    other = tmp_path / "other.toml"
    other.write_text('EDGE_FACTORY_SYMBOLS = ["BTC-USD", "eth-usd"]\n')

    settings = load(tmp_path, config=str(other))

    assert settings.max_open_positions == 3
    assert settings.symbols == ("BTC-USD", "ETH-USD")
    assert "no configuration file" in refused(tmp_path, config=str(tmp_path / "gone")).message


# --- accounts and profiles -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "options", "expected"),
    [
        ({}, {}, "paper"),
        ({"EDGE_FACTORY_MODE": "disabled"}, {}, "paper"),
        (LIVE, {}, "live"),
        (LIVE, {"profile": "paper"}, "paper"),
        (LIVE, {"account": "paper", "profile": "live"}, "paper"),
        (LIVE | {"EDGE_FACTORY_MODE": "paper"}, {"account": "live"}, "live"),
        (LIVE | {"EDGE_FACTORY_MODE": "paper"}, {"profile": "live"}, "live"),
    ],
)
def test_the_account_is_the_option_s_then_the_profile_s_then_the_mode_s(
    tmp_path: Path, environ: Mapping[str, str], options: dict[str, str], expected: str
) -> None:
    """One rule for every command."""
    assert load(tmp_path, environ, **options).mode == expected


def test_the_paper_profile_is_more_generous(tmp_path: Path) -> None:
    """150 a day and five positions; a table of the same name adds to it and wins."""
    settings = load(tmp_path, profile="paper")
    assert (settings.max_daily_notional, settings.max_open_positions) == (Decimal(150), 5)

    (tmp_path / "zoe.toml").write_text("[profiles.paper]\nMAX_OPEN_POSITIONS = 2\n")
    settings = load(tmp_path, {"MAX_OPEN_POSITIONS": "9"}, profile="paper")
    assert (settings.max_daily_notional, settings.max_open_positions) == (Decimal(150), 2)
    assert settings.source_of("MAX_OPEN_POSITIONS") == "profile paper"


def test_a_named_account_brings_its_own_key(tmp_path: Path) -> None:
    """A table in zoe.toml; a file's relative path is looked up in the home."""
    (tmp_path / "zoe.toml").write_text(
        '[accounts.second]\nEDGE_FACTORY_MODE = "live"\n'
        'KRAKEN_API_KEY_FILE = "key"\nKRAKEN_API_SECRET_FILE = "secret"\n'
    )
    (tmp_path / "key").write_text("second-key\n")
    (tmp_path / "secret").write_text(SECRET + "\n")

    settings = load(tmp_path, {"KRAKEN_API_KEY": "first"}, account="second")

    assert settings.kraken_api_key == "second-key"
    assert settings.live_account is not None
    assert settings.live_account.fingerprint == fingerprint_of("second-key")


def test_an_unknown_profile_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    """Never silently the default."""
    error = refused(tmp_path, profile="papr")

    assert "Did you mean paper?" in error.message
    assert "live, paper" in error.hint


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (("KRAKEN_API_KEY",), "KRAKEN_API_KEY is missing"),
        (("KRAKEN_API_SECRET",), "KRAKEN_API_SECRET is missing"),
        (("KRAKEN_API_KEY", "KRAKEN_API_SECRET"), "KRAKEN_API_KEY and KRAKEN_API_SECRET are"),
    ],
)
def test_live_without_complete_credentials_is_an_error_never_paper(
    tmp_path: Path, missing: tuple[str, ...], named: str
) -> None:
    """Exit 2."""
    error = refused(tmp_path, {name: LIVE[name] for name in LIVE if name not in missing})

    assert named in error.message
    assert error.exit_code == 2


def test_consent_counts_only_in_the_environment_and_only_as_one(tmp_path: Path) -> None:
    """A file may not consent; `true` is not `1`, and is warned about."""
    assert load(tmp_path, {"I_UNDERSTAND_LIVE": "1"}).live_consent
    assert not load(tmp_path).live_consent
    misspelt = load(tmp_path, {"I_UNDERSTAND_LIVE": "true"})
    assert not misspelt.live_consent
    assert any("I_UNDERSTAND_LIVE=1" in each for each in misspelt.warnings)
    (tmp_path / ".env").write_text("I_UNDERSTAND_LIVE=1\n")
    assert "process environment only" in refused(tmp_path).message
    assert not load_settings({}, home=tmp_path, lenient=True).live_consent


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"ZOE_HOEM": "/x"}, "ZOE_HOEM in the environment is no setting. Did you mean ZOE_HOME?"),
        ({"EDGE_FACTORY_SYMBOL": "x"}, "Did you mean EDGE_FACTORY_SYMBOLS?"),
        ({"MAX_DAILY_NOTIONAL": "ten"}, "MAX_DAILY_NOTIONAL (environment): 'ten' is not a number"),
        ({"MAX_DAILY_NOTIONAL": "nan"}, "not a finite number"),
        ({"MAX_DAILY_NOTIONAL": "-1"}, "is negative"),
        ({"MAX_OPEN_POSITIONS": "2.5"}, "not a whole number"),
        ({"STOP_TRADING_ON_DEGRADED": "perhaps"}, "neither true nor false"),
        ({"RECONCILE_INTERVAL_SECONDS": "4"}, "not between 5 and 600"),
        ({"MD_MAX_WS_PAIRS": "1001"}, "not between 1 and 1000"),
        ({"MD_FOCUS_FLUSH_MS": "99"}, "not between 100 and 3600000"),
        ({"MD_MOVER_FOCUS_MIN": "0"}, "not between 1 and 1440"),
        ({"MD_QUOTE_CURRENCY": "U/D"}, "is no name of a currency"),
        ({"MD_SPARKLINE_INTERVAL": "4"}, "not between 5 and 3600"),
        ({"RECONCILE_CLEAN_RUNS": "0"}, "before it was looked again"),
        ({"STOP_LOSS_PCT": "0"}, "not a percentage between 0 and 100"),
        ({"ORDER_TTL_SECONDS_ENTRY": "0"}, "no time at all"),
        ({"INVARIANT_NAKED_CRIT_SEC": "0"}, "to switch a limit off, set it out of reach"),
        ({"EDGE_FACTORY_MODE": "Live!"}, "not one of paper, live, disabled"),
        ({"EDGE_FACTORY_SYMBOLS": " , "}, "names no symbol"),
        ({"EDGE_FACTORY_FUNDING_SOURCE": "somewhere"}, "not one of kraken-futures"),
        ({"EXCHANGE": "robinhood"}, "robinhood is not built yet"),
        ({"EXCHANGE": "binance"}, "not one of kraken"),
        ({"KRAKEN_TIER": "gold"}, "not one of starter, intermediate, pro"),
        ({"KRAKEN_BASE_URL": "ftp://api.kraken.com"}, "not a https:// address"),
        ({"KRAKEN_BASE_URL": "http://api.kraken.com"}, "in the clear"),
        ({"DATABASE_URL": "mysql://x/y"}, "neither a sqlite"),
        (LIVE | {"KRAKEN_API_SECRET": "not base64!"}, "KRAKEN_API_SECRET is malformed"),
        ({"KRAKEN_API_KEY_FILE": "gone"}, "cannot be read"),
        ({"KRAKEN_API_KEY_FILE": "x", "KRAKEN_API_KEY": "y"}, "gives both"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_name(
    tmp_path: Path, environ: dict[str, str], said: str
) -> None:
    """One sentence that names the setting and its source; exit 2."""
    error = refused(tmp_path, environ)

    assert said in error.message
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        (".env", "MAX_DAILY_NOTIONL=5\n", "Did you mean MAX_DAILY_NOTIONAL?"),
        (".env", "\n\nMAX_DAILY_NOTIONAL 5\n", "line 3 is not NAME=value"),
        (".env", "EXCHANGE=kraken\nEXCHANGE=kraken\n", "line 2 sets EXCHANGE a second time"),
        ("zoe.toml", "MAX_DAILY_NOTIONL = 5\n", "Did you mean MAX_DAILY_NOTIONAL?"),
        ("zoe.toml", "MAX_DAILY_NOTIONAL = \n", "is not TOML"),
        ("zoe.toml", "[MAX_DAILY_NOTIONAL]\nx = 1\n", "is a dict"),
        ("zoe.toml", "[profiles]\nmine = 1\n", ""),
    ],
)
def test_files_are_read_strictly(tmp_path: Path, file: str, content: str, said: str) -> None:
    """Unknown names and unreadable lines are errors that name the place."""
    (tmp_path / file).write_text(content)
    if not said:
        assert "table of settings" in refused(tmp_path, profile="mine").message
    else:
        assert said in refused(tmp_path).message


def test_a_lenient_reader_warns_where_a_strict_one_refuses(tmp_path: Path) -> None:
    """Kill and status must work when the configuration does not."""
    (tmp_path / ".env").write_text("NONSENSE\n")
    (tmp_path / "zoe.toml").write_text("MAX_DAILY_NOTIONL = 5\n")
    environ = {"ZOE_X": "1", "MAX_OPEN_POSITIONS": "many", "MAX_NOTIONAL_PER_TRADE": "500"}

    settings = load_settings(environ, home=tmp_path, lenient=True)

    told = " ".join(settings.warnings)
    assert settings.max_open_positions == 3
    for word in ("NAME=value", "MAX_DAILY_NOTIONL", "ZOE_X", "many", "THRESHOLD_MISMATCH"):
        assert word in told


def test_a_lenient_reader_survives_a_value_of_no_use(tmp_path: Path) -> None:
    """The other settings of the file still count."""
    (tmp_path / "zoe.toml").write_text(
        "MAX_NOTIONAL_PER_TRADE = [1]\nKRAKEN_API_KEY = 2020-01-01\nMAX_OPEN_POSITIONS = 2\n"
    )
    with pytest.raises(ConfigError):
        load_settings({}, home=tmp_path)

    settings = load_settings({}, home=tmp_path, lenient=True)

    assert settings.max_open_positions == 2
    told = " ".join(settings.warnings)
    assert "MAX_NOTIONAL_PER_TRADE" in told
    assert "KRAKEN_API_KEY" in told


def test_a_relative_database_is_the_home_s_in_every_folder(tmp_path: Path) -> None:
    """Cron and a shell elsewhere mean the same books."""
    settings = load_settings({"DATABASE_URL": "sqlite:///books/zoe.db"}, home=tmp_path)

    assert settings.database_url == f"sqlite:///{tmp_path}/books/zoe.db"


def test_a_lenient_reader_never_guesses_the_account(tmp_path: Path) -> None:
    """A misspelt mode could mean the other account."""
    with pytest.raises(ConfigError):
        load_settings({"EDGE_FACTORY_MODE": "liv"}, home=tmp_path, lenient=True)
    live = load_settings({"EDGE_FACTORY_MODE": "live"}, home=tmp_path, lenient=True)
    assert live.mode == "live"


def test_near_misses_of_other_names_only_warn(tmp_path: Path) -> None:
    """The environment belongs to other programs too."""
    settings = load(tmp_path, {"KRAKEN_APIKEY": "x", "PATH": "/bin", "MAX_DAILY_NOTINAL": "5"})

    told = " ".join(settings.warnings)
    assert "Did you mean KRAKEN_API_KEY?" in told
    assert "Did you mean MAX_DAILY_NOTIONAL?" in told
    assert "PATH" not in told


@pytest.mark.parametrize(
    ("environ", "hard"),
    [
        ({"MAX_DAILY_NOTIONAL": "24.99"}, "MAX_DAILY_NOTIONAL (24.99)"),
        ({"MAX_NOTIONAL_PER_TRADE": "50.01"}, "MAX_DAILY_NOTIONAL (50)"),
        ({"REPRICE_STEP_BPS": "7"}, "MAX_CROSS_SPREAD_BPS (20)"),
        ({"LIQUIDITY_GUARD_SPREAD_PCT": "0.1"}, "LIQUIDITY_GUARD_SPREAD_PCT in basis points (10)"),
        ({"EDGE_FACTORY_FUNDING_STALE": "299"}, "EDGE_FACTORY_FUNDING_STALE (299)"),
        ({"EDGE_FACTORY_HEAT_MAX": "0.1"}, "EDGE_FACTORY_HEAT_MAX (0.1)"),
        ({"INVARIANT_DRAWDOWN_CRIT_PCT": "9"}, "INVARIANT_DRAWDOWN_CRIT_PCT (9)"),
        ({"INVARIANT_POSITIONS_WARN": "28"}, "INVARIANT_POSITIONS_CRIT (27)"),
        ({"MAX_OPEN_POSITIONS": "27"}, "INVARIANT_POSITIONS_CRIT (27)"),
        ({"INVARIANT_LIQUIDATION_CRIT_PCT": "91"}, "INVARIANT_LIQUIDATION_CRIT_PCT (91)"),
        ({"MAX_EXPOSURE_NOTIONAL": "500001"}, "INVARIANT_OPEN_NOTIONAL_CRIT (500000)"),
        ({"INVARIANT_DRAWDOWN_CRIT_PCT": "10"}, ""),
        ({"MAX_OPEN_POSITIONS": "26"}, ""),
        ({"MAX_DAILY_NOTIONAL": "25", "MAX_NOTIONAL_PER_TRADE": "25"}, ""),
        ({"MAX_DAILY_NOTIONAL": "0"}, ""),
        ({"LIQUIDITY_GUARD_SPREAD_PCT": "0"}, ""),
    ],
)
def test_a_hard_limit_may_not_be_tighter_than_the_soft_one(
    tmp_path: Path, environ: dict[str, str], hard: str
) -> None:
    """THRESHOLD_MISMATCH; a limit of zero is a plain no."""
    if not hard:
        load(tmp_path, environ)
        return
    error = refused(tmp_path, environ)
    assert error.message.startswith("THRESHOLD_MISMATCH")
    assert hard in error.message


# --- the database, secrets, the whole ------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "dotenv", "expected"),
    [
        ({}, "", "sqlite:///{home}/zoe.db"),
        ({"SUPABASE_DB_URL": "postgres://h/a"}, "", "postgresql+psycopg://h/a"),
        ({"SUPABASE_DB_URL": "postgres://h/a"}, "DATABASE_URL=postgresql://h/b", "*://h/a"),
        ({"SUPABASE_DB_URL": "postgres://h/a", "DATABASE_URL": "sqlite:////x/y"}, "", "sqlite*"),
    ],
)
def test_the_database_is_the_strongest_source_s(
    tmp_path: Path, environ: dict[str, str], dotenv: str, expected: str
) -> None:
    """Two names for one thing: the stronger source wins, then DATABASE_URL."""
    (tmp_path / ".env").write_text(dotenv)

    url = load(tmp_path, environ).database_url

    wanted = expected.format(home=tmp_path).replace("*://", "postgresql+psycopg://")
    assert url == wanted or (wanted == "sqlite*" and url == "sqlite:////x/y")


def test_no_secret_is_ever_described_or_shown(tmp_path: Path) -> None:
    """Not by `config show`, not by repr; and redaction knows them all."""
    environ = LIVE | {
        "DATABASE_URL": "postgresql://me:pa%40ss-word@h/db",
        "SUPABASE_SERVICE_ROLE_KEY": "service-role",
    }
    settings = load(tmp_path, environ)
    shown = " ".join(f"{each.value} {each.source}" for each in settings.described())

    for secret in ("public-half", SECRET, "pa%40ss-word", "service-role"):
        assert secret not in shown
        assert secret not in repr(settings)
        assert secret in settings.secrets
    assert "pa@ss-word" in settings.secrets
    assert MASK in shown


def test_the_secret_file_s_content_is_masked_too(tmp_path: Path) -> None:
    """Wherever a secret came from."""
    (tmp_path / "key").write_text("key-from-a-file")
    settings = load(tmp_path, {"KRAKEN_API_KEY_FILE": "key"})

    described = {each.name: each for each in settings.described()}

    assert described["KRAKEN_API_KEY"].value == MASK
    assert described["KRAKEN_API_KEY"].source == str(tmp_path / "key")


def test_every_setting_is_described_once(tmp_path: Path) -> None:
    """`zoe config show` leaves nothing out."""
    names = [each.name for each in load(tmp_path).described()]

    assert names == ["ZOE_HOME", *(knob.name for knob in KNOBS), "I_UNDERSTAND_LIVE"]


def test_defaults_are_the_policy_s_defaults(tmp_path: Path) -> None:
    """One truth: the catalogue and the policy agree; what is traded is what is allowed."""
    settings = load(tmp_path)

    assert settings.policy() == Policy(allowed_symbols=settings.symbols)


def test_the_policy_carries_what_was_set(tmp_path: Path) -> None:
    """Every limit of the gate is a setting's."""
    policy = load(
        tmp_path,
        {
            "MAX_NOTIONAL_PER_TRADE": "11",
            "MAX_DAILY_NOTIONAL": "12",
            "MAX_OPEN_POSITIONS": "1",
            "STOP_LOSS_PCT": "1.5",
            "TAKE_PROFIT_PCT": "6",
            "RECONCILE_CASH_TOLERANCE": "0",
            "RECONCILE_QTY_TOLERANCE": "0.5",
            "RECONCILE_CLEAN_RUNS": "5",
            "STOP_TRADING_ON_DEGRADED": "false",
            "ORDER_TTL_SECONDS_ENTRY": "7",
            "ORDER_TTL_SECONDS_EXIT": "8",
            "MAX_REPRICE_ATTEMPTS": "0",
            "REPRICE_STEP_BPS": "2",
            "MAX_CROSS_SPREAD_BPS": "9",
            "MAX_AVERAGE_SLIPPAGE_BPS": "0",
            "VISIBILITY_LAG_SECONDS": "90",
            "LIQUIDITY_GUARD_SPREAD_PCT": "3",
            "MAX_QUANTITY_PER_TRADE": "btc-usd=0.5, ETH-USD=10",
            "MAX_UNEXECUTED_NOTIONAL": "21",
            "MAX_POSITION_NOTIONAL": "22",
            "MAX_EXPOSURE_NOTIONAL": "23",
            "ALLOWED_SYMBOLS": "btc-usd",
            "MAX_OPEN_ORDERS": "4",
            "MAX_ORDERS_PER_MINUTE": "5",
            "MAX_CANCEL_RATIO_PCT": "50",
            "DUPLICATE_WINDOW_SECONDS": "0",
            "PRICE_COLLAR_PCT": "2",
            "QUOTE_STALE_SECONDS": "3",
            "ALLOW_WITHDRAWAL_KEY": "yes",
        },
    ).policy()

    expected = Policy(
        max_notional_per_trade=Decimal(11),
        max_daily_notional=Decimal(12),
        max_open_positions=1,
        stop_loss_pct=Decimal("1.5"),
        take_profit_pct=Decimal(6),
        reconcile_cash_tolerance=Decimal(0),
        reconcile_quantity_tolerance=Decimal("0.5"),
        reconcile_clean_runs=5,
        stop_trading_on_degraded=False,
        order_ttl_entry_s=7.0,
        order_ttl_exit_s=8.0,
        max_reprice_attempts=0,
        reprice_step_bps=Decimal(2),
        max_cross_spread_bps=Decimal(9),
        max_average_slippage_bps=Decimal(0),
        visibility_lag_s=90.0,
        liquidity_guard_spread_pct=Decimal(3),
        max_quantities=(("BTC-USD", Decimal("0.5")), ("ETH-USD", Decimal(10))),
        max_unexecuted_notional=Decimal(21),
        max_position_notional=Decimal(22),
        max_exposure_notional=Decimal(23),
        allowed_symbols=("BTC-USD",),
        max_open_orders=4,
        max_orders_per_minute=5,
        max_cancel_ratio_pct=Decimal(50),
        duplicate_window_s=0.0,
        price_collar_pct=Decimal(2),
        quote_stale_s=3.0,
        allow_withdrawal_key=True,
    )
    assert expected == policy


@pytest.mark.parametrize("mode", ["split", "resting"])
def test_targets_that_may_not_rest_are_told_of(tmp_path: Path, mode: str) -> None:
    """Every command says that the mode is not followed; with the leave none does."""
    said = {"TAKE_PROFIT_MODE": mode}
    (told,) = load(tmp_path, said).warnings
    assert told.startswith(f"TAKE_PROFIT_MODE={mode} is not followed")

    allowed = load(tmp_path, said | {"ALLOW_TARGETS_WITHOUT_STOP": "true"})
    assert allowed.warnings == ()
    assert allowed.policy().allow_targets_without_stop


def test_known_but_unused_names_are_explained(tmp_path: Path) -> None:
    """The runbooks export them; zoe talks to the database itself."""
    settings = load(tmp_path, {"SUPABASE_URL": "https://x.supabase.co"})

    assert any("SUPABASE_URL" in each and "not used" in each for each in settings.warnings)


def test_the_template_changes_nothing(tmp_path: Path) -> None:
    """Every line is a comment; with the marks taken away it says the defaults."""
    (tmp_path / ".env").write_text(env_template())
    (tmp_path / ".env").chmod(0o600)
    assert {each.source for each in load(tmp_path).described()[1:]} == {"default"}

    lines = [
        line[1:] for line in env_template().splitlines() if line.startswith("#") and "=" in line
    ]
    settings_lines = [line for line in lines if line.split("=")[0] in {k.name for k in KNOBS}]
    (tmp_path / ".env").write_text("\n".join(settings_lines))
    loaded = load(tmp_path)

    assert loaded.warnings == ()
    assert loaded.policy() == Policy(allowed_symbols=loaded.symbols)


def test_a_readable_dotenv_is_warned_about(tmp_path: Path) -> None:
    """It holds keys."""
    (tmp_path / ".env").write_text("")
    (tmp_path / ".env").chmod(0o644)

    assert any("chmod 600" in each for each in load(tmp_path).warnings)


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=6))
def test_any_amount_is_kept_exactly(amount: Decimal) -> None:
    """Text to Decimal and nothing in between."""
    environ = {"RECONCILE_CASH_TOLERANCE": format(amount, "f")}

    settings = load_settings(environ, home=Path("/nowhere/at/all"))

    assert settings.reconcile_cash_tolerance == amount
