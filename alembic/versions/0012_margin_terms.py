"""What may be borrowed in each instrument, in the market catalogue.

Rows that are there have none until a watch reads the venue's list again.

Revision ID: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("leverage_buy", "leverage_sell"):
        op.add_column("market_catalog", sa.Column(name, sa.Text(), nullable=True))
    for name in ("margin_call_pct", "margin_stop_pct"):
        op.add_column("market_catalog", sa.Column(name, sa.Integer(), nullable=True))
