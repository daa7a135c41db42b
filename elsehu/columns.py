"""Column types that Piccolo does not have."""

from piccolo.columns import BigInt


class Xid8(BigInt):
    """A 64-bit transaction id, `pg_current_xact_id()` by default (set in the migration)."""

    @property
    def column_type(self) -> str:
        """PostgreSQL's name of the type."""
        return "XID8"
