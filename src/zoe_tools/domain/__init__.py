"""Frozen values: the nouns of the trade. Arithmetic and validation, nothing that waits or looks."""
