"""Kraken's REST dialect."""
