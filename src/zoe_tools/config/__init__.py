"""Settings: option > process environment > zoe.toml > .env > default, read once, sources kept.

The only reader of the environment. The working folder is never searched. It opens no connection
and decides nothing about trading.
"""

from zoe_tools.config.catalogue import CONSENT, KNOBS, env_template
from zoe_tools.config.settings import Described, Settings, load_settings, masked_url
from zoe_tools.config.sources import MASK, account_names, default_home, home_of, process_environment

__all__ = [
    "CONSENT",
    "KNOBS",
    "MASK",
    "Described",
    "Settings",
    "account_names",
    "default_home",
    "env_template",
    "home_of",
    "load_settings",
    "masked_url",
    "process_environment",
]
