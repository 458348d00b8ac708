"""Ours: what systems said, kept as Parquet; and the one catalogue that analysts read. DuckDB."""
