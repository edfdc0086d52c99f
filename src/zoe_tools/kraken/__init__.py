"""The Kraken adapter: the only code that speaks the venue's dialect as a client.

Importing the package loads nothing: commands that never call the venue must not pay for httpx.
"""
