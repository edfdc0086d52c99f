"""What every command is handed: the global options, the environment, and a printer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from zoe_tools.config import Settings, account_names, load_settings
from zoe_tools.errors import ConfigError
from zoe_tools.observe import log
from zoe_tools.observe.redaction import REDACTOR
from zoe_tools.render.printer import Printer

_ADDRESSES = ("DATABASE_URL", "SUPABASE_DB_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalOptions:
    """The options that every command takes, before or after its name."""

    json: bool = False
    account: str = ""
    profile: str = ""
    config: str = ""
    no_color: bool = False
    verbosity: int = 0

    @property
    def again(self) -> tuple[str, ...]:
        """The words that name the account and its settings, for a line that is to be run next."""
        named = (("account", self.account), ("profile", self.profile), ("config", self.config))
        return tuple(word for name, value in named if value for word in (f"--{name}", value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One run of one command; `ctx.obj` of every command."""

    command: str
    options: GlobalOptions
    environ: Mapping[str, str]
    output: Printer

    def settings(
        self, *, lenient: bool = False, tells_warnings: bool = True, **overrides: str
    ) -> Settings:
        """The effective settings; their warnings are printed, their secrets masked from now on.

        `overrides` are settings by name that the command's own options decide. `tells_warnings` is
        False for a command that tells them itself.

        Raises:
            ConfigError: see `load_settings`.
        """
        settings = self._load(lenient=lenient, overrides=overrides)
        REDACTOR.remember(settings.secrets)
        log.set_up(settings.home, verbosity=self.options.verbosity, stderr=self.output.err)
        _tell_alerts(settings)
        for warning in settings.warnings if tells_warnings else ():
            self.output.warn(warning)
        return settings

    def settings_of_store(self) -> Settings:
        """For commands about the database: lenient in everything but its address.

        Without this a mistyped address would be forgotten, and another database looked at.

        Raises:
            ConfigError: the address cannot be used; and see `load_settings`.
        """
        settings = self.settings(lenient=True)
        for sentence, hint in settings.problems:
            if sentence.startswith(_ADDRESSES):
                raise ConfigError(sentence, hint=hint)
        return settings

    def settings_to_judge(self) -> Settings:
        """Those of the live account whenever its key is configured and no account is named.

        Raises:
            ConfigError: see `load_settings`.
        """
        settings = self.settings()
        if settings.mode == "paper" and settings.has_credentials and not self.options.account:
            return self.for_account("live").settings()
        return settings

    def demand_sound(self) -> None:
        """Nothing, if the settings are sound.

        Raises:
            ConfigError: see `load_settings`.
        """
        self._load(lenient=False, overrides={})

    def _load(self, *, lenient: bool, overrides: Mapping[str, str]) -> Settings:
        told = {
            "account": self.options.account,
            "profile": self.options.profile,
            "config": self.options.config,
            **overrides,
        }
        options = {name: value for name, value in told.items() if value}
        return load_settings(self.environ, options=options, lenient=lenient)

    def named_settings(self) -> list[Settings]:
        """The settings of the account that the operator named, else of every account with a name.

        They are read leniently. Without a name the one that would be meant comes last.
        """
        own = self.settings(lenient=True)
        if self.options.account or self.options.profile:
            return [own]
        named: list[Settings] = []
        for name in account_names(self.environ, options={"config": self.options.config}):
            try:
                named.append(self._load(lenient=True, overrides={"account": name}))
            except ConfigError as error:
                self.output.warn(f"The account {name} cannot be resolved: {error.message}")
        for settings in named:
            REDACTOR.remember(settings.secrets)
        return [*named, own]

    def announce(self, settings: Settings) -> None:
        """Print the account first, for commands that open no context; nothing is created."""
        if settings.mode == "live":
            if settings.live_account is None:
                self.output.account_missing("live", "no API key")
            else:
                self.output.account(settings.live_account)
            return
        from zoe_tools.runtime.context import account_of  # noqa: PLC0415 - opens the store's library

        if (settings.home / "paper").is_dir():
            self.output.account(account_of(settings))
        else:
            self.output.account_missing("paper", "its exchange has not been started yet")

    def for_account(self, name: str) -> Invocation:
        """The same invocation on another account."""
        return replace(self, options=replace(self.options, account=name))

    def printer(self) -> Printer:
        """The one printer of this invocation."""
        return self.output


def _tell_alerts(settings: Settings) -> None:
    """From now on this process's alerts are noted, and told where somebody wants to hear them."""
    from zoe_tools.observe import alerts  # noqa: PLC0415 - `--help` and `--version` tell none

    notifier = None
    if settings.alert_exec:
        from zoe_tools.observe.alert_exec import AlertExec  # noqa: PLC0415 - costs import time

        notifier = AlertExec(settings.alert_exec, settings.home)
    window = timedelta(seconds=settings.alert_repeat_seconds)
    alerts.set_up(settings.home, window, notifier)
