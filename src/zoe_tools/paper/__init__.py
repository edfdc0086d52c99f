"""The embedded exchange: a server that answers in Kraken's own wire dialect.

It does not import the client and shares no arithmetic with it: it is an independent check on it.
"""
