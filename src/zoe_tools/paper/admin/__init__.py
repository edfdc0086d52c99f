"""The exchange's own door: what its operator may ask, sealed; Kraken has nothing like it."""
