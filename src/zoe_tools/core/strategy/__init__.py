"""Strategies: what to hold and when. Pure: a view in, a decision out."""
