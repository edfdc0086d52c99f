"""What an intent was decided on, and how its end is known, in columns of their own.

Intents from before name no snapshot. How the end of a rejected or denied one is known was told by
the first words of its evidence only; it is read from there once, here, and nowhere any more.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FIRST_WORDS = (
    ("records", "status = 'rejected' AND evidence LIKE 'it never happened: %'"),
    ("not sent", "status = 'rejected' AND evidence LIKE 'not sent: %'"),
    ("not sent", "status = 'denied'"),
)


def upgrade() -> None:
    for name in ("snapshot_hash", "proof"):
        column = sa.Column(name, sa.Text(), nullable=False, server_default="")
        op.add_column("order_intents", column)
    for proof, condition in FIRST_WORDS:
        op.execute(f"UPDATE order_intents SET proof = '{proof}' WHERE {condition}")  # noqa: S608 - ours
