"""The one door to the world: veto, show, consent, re-check, journal, send, prove.

Every change at the venue or in the books of record passes through `gate.gate.Gate`, whether a
command asks for it or the loop.
"""
