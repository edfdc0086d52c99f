"""The book: SQLAlchemy tables (private), transactions, queries. Rows never leave this folder."""
