"""A kill level of one instrument: a row for each that was ever stopped for itself.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from zoe_tools.store.types import UtcTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "instrument_states",
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("account_id", "symbol", "level", "reason")
        ),
        sa.Column("changed_at", UtcTime(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name="fk_instrument_states_account_id_accounts",
        ),
        sa.PrimaryKeyConstraint("account_id", "symbol", name="pk_instrument_states"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER instrument_states_told AFTER INSERT OR UPDATE OR DELETE ON "
            "instrument_states FOR EACH STATEMENT EXECUTE FUNCTION zoe_tell_state()"
        )
