"""Kraken's WebSocket v2 dialect."""
