"""The exchange as its dialects see it: commands, queries, keys, limits, and its memory on disk."""
