"""The composition root: settings become a context of venue, store and clock.

Nobody below builds anything, and the only `asyncio` runner of the program is here.
"""
