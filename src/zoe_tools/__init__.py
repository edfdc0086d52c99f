"""The operator's command line for a Kraken account."""

__version__ = "0.1.0"
