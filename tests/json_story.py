"""A story that every command has its part in; `test_json_answers.py` tells it with `--json`."""

from __future__ import annotations

SAVED = "saved.plan"
STORY: tuple[tuple[str, int], ...] = (
    ("init", 0),
    ("db status", 0),
    ("db upgrade", 0),
    ("config show", 0),
    ("config check", 0),
    ("config set MAX_OPEN_ORDERS 29", 3),
    ("config set MAX_OPEN_ORDERS 29 --execute", 0),
    ("config set MAX_OPEN_ORDERS 31", 4),
    ("config check", 0),
    ("pre-flight", 0),
    ("pre-flight --prove", 0),
    ("check-live-readiness", 0),
    ("status", 0),
    ("health", 3),
    ("sync-positions", 0),
    ("sync-positions --adopt BTC/USD=0.5 --adopt ETH/USD=3", 3),
    (f"sync-positions --adopt BTC/USD=0.5 --out {SAVED}", 3),
    (f"apply {SAVED}", 3),
    (f"apply {SAVED} --execute", 0),
    (f"apply {SAVED} --execute", 4),
    (f"apply {SAVED} --resume --execute", 0),
    ("apply nowhere.plan", 2),
    ("sync-positions --adopt BTC/USD=x", 2),
    ("recover-sl", 0),
    ("check-tp-coverage", 3),
    ("repair-tp", 3),
    ("repair-tp --mode somewhere", 2),
    ("reconcile", 0),
    ("reconcile --adjust USD=1 --reason story", 3),
    ("reconcile --adjust USD=1 --reason story --out adjust.plan", 3),
    ("apply adjust.plan --execute", 0),
    ("reconcile --explain D-none --reason story", 2),
    ("orders --all", 0),
    ("orders cancel --all", 0),
    ("orders cancel", 2),
    ("fills", 0),
    ("monitor-trade-execution", 0),
    ("pnl --execute", 0),
    ("pnl basis", 0),
    ("pnl basis nothing 5", 2),
    ("positions", 0),
    ("positions --all", 0),
    ("positions nobody", 2),
    ("ledger import --from-venue --report", 3),
    ("ledger import --from-venue", 3),
    ("ledger import --from-venue --execute", 0),
    ("ledger", 0),
    ("ledger --proof", 0),
    ("backfill --symbol BTC/USD --tf 1h", 0),
    ("run --strategy hold --for 1s", 0),
    ("kill --level reduce-only", 3),
    ("kill --level reduce-only --execute", 0),
    ("kill status", 0),
    ("status", 0),
    ("resume", 3),
    ("resume --execute", 0),
    ("kill --level flatten", 3),
    ("kill --level pause-entries --out kill.plan", 3),
    ("apply kill.plan --execute", 0),
    ("resume --out resume.plan", 3),
    ("apply resume.plan --execute", 0),
    ("apply resume.plan --execute", 4),
    ("reconcile --out nothing.plan", 0),
    ("backfill --symbol BTC/USD --out nothing.plan", 0),
    ("recover-sl --out nothing.plan", 0),
    ("explain STALE_QUOTE", 0),
    ("explain #1", 0),
    ("explain nothing-of-the-kind", 2),
    ("audit init", 0),
    ("audit verify", 0),
    ("db backup copy.db", 0),
    ("check-db-health", 0),
    ("db prune --older-than 90d", 0),
    ("paper fund", 0),
    ("paper fund USD 5", 3),
    ("paper fund USD 5 --execute", 0),
    ("paper fund USD 5 --after 600 --execute", 0),
    ("paper fund", 0),
    ("paper key", 0),
    ("paper key reader --permission query-funds", 0),
    ("paper key reader --remove", 0),
    ("paper fault http-502 --times 1 --where AddOrder", 0),
    ("paper fault --clear", 0),
    ("paper reset", 2),
)
"""What is typed while the exchange serves, in this order, and how each ends."""

AFTERWARDS = (("paper reset", 3), ("paper reset --execute", 0))
"""What is typed when it is gone."""

SERVED = "paper serve"
"""The one command that does not end by itself."""


def has_a_part(command: str) -> bool:
    """Whether the command is typed somewhere."""
    lines = [line for line, _ in (*STORY, *AFTERWARDS)]
    return command == SERVED or any(f"{line} ".startswith(f"{command} ") for line in lines)
