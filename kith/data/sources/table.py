"""The user's own table (see kith.data.table)."""

from kith.data.kinds import Tabular

SOURCES = (
    Tabular(name="table", named=False, layout="Parquet, CSV, TSV or JSONL: [README](../README.md#your-own-data)"),
)
