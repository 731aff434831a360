"""Reads the tables as others do, with delta-rs (DataFusion) and with DuckDB, and prints what each found.

Shares no code with the aggregator: neither its reader of logs nor its judgement. Both engines are asked
the same questions in SQL. Prints one line of JSON, a list with an object for each engine.

Usage: read_tables.py URL    (s3://bucket/prefix or a directory; AWS_* tell how to reach S3)
"""

import json
import os
import sys
from urllib.parse import unquote, urlparse

import duckdb
from deltalake import DeltaTable, QueryBuilder
from duckdb_extensions import import_extension

DATA_TABLES = ["pod_usage", "pod_network", "node_usage", "events"]
# The ledger first: what it has is in every table that is opened after it.
TABLES = ["reconcile"] + DATA_TABLES

SUMS = {
    "pod_usage": [
        "cpu_seconds",
        "net_tx_bytes_delta",
        "net_tx_packets_delta",
        "net_rx_bytes_delta",
        "net_rx_packets_delta",
        "memory_usage_bytes",
    ],
    "pod_network": ["tx_bytes_delta", "rx_bytes_delta"],
    "node_usage": ["memory_total_bytes"],
    "events": ["pid"],
    "reconcile": ["cpu_ns_total", "net_tx_bytes_total", "net_rx_bytes_total"],
}
BATCH = "node_name, epoch, seq"


def questions():
    """Name and SQL of each number. NULL is told as 0: an empty table has no sum."""
    for table in TABLES:
        yield f"{table}.rows", f"SELECT count(*) FROM {table}"
        yield f"{table}.batches", f"SELECT count(*) FROM (SELECT DISTINCT {BATCH} FROM {table}) AS b"
        for column in SUMS[table]:
            yield f"{table}.{column}", f"SELECT sum({column}) FROM {table}"
    ledger = f"SELECT {BATCH}, count(*) AS n FROM reconcile GROUP BY {BATCH}"
    yield "ledger_twice", f"SELECT count(*) FROM ({ledger}) AS l WHERE n > 1"
    # Seqs are 1, 2, 3 ...: what is missing up to the highest is a hole.
    yield "ledger_holes", f"""
        SELECT sum(highest - there) FROM (
            SELECT max(seq) AS highest, count(DISTINCT seq) AS there
            FROM reconcile GROUP BY node_name, epoch) AS l"""
    # A node's windows follow each other, whoever of its agents made them.
    before = "lag(window_end) OVER (PARTITION BY node_name ORDER BY window_start, window_end)"
    yield "windows_apart", f"""
        SELECT count(*) FROM (
            SELECT window_start, {before} AS ended FROM reconcile
            WHERE gap_reason IS NULL OR gap_reason <> 'spool_lost') AS w
        WHERE ended IS NOT NULL AND ended <> window_start"""
    for table in DATA_TABLES:
        found = f"SELECT {BATCH}, count(*) AS n FROM {table} GROUP BY {BATCH}"
        same = "r.node_name = t.node_name AND r.epoch = t.epoch AND r.seq = t.seq"
        yield f"{table}.wrong", f"""
            SELECT count(*) FROM reconcile AS r LEFT JOIN ({found}) AS t ON {same}
            WHERE r.batch_kind = 'whole' AND coalesce(t.n, 0) <> r.rows_{table}"""
        yield f"{table}.without_ledger", f"""
            SELECT count(*) FROM ({found}) AS t LEFT JOIN reconcile AS r ON {same}
            WHERE r.seq IS NULL"""


def answers(ask):
    return {name: ask(sql) or 0 for name, sql in questions()}


def with_delta_rs(base):
    options = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    engine, versions = QueryBuilder(), {}
    for table in TABLES:
        opened = DeltaTable(f"{base}/{table}", storage_options=options)
        versions[table] = opened.version()
        engine.register(table, opened)

    def ask(sql):
        batch = engine.execute(sql).read_all()
        return batch.column(0)[0].as_py()

    return {"reader": "delta-rs", "versions": versions, **answers(ask)}


def with_duckdb(base):
    engine = duckdb.connect()
    for extension in ["delta", "httpfs"]:
        import_extension(extension, con=engine)
        engine.execute(f"LOAD {extension}")
    # One thread: a machine that is tested on has little to spare.
    engine.execute("SET threads = 1; SET TimeZone = 'UTC'")
    if base.startswith("s3://"):
        engine.execute(secret())
    for table in TABLES:
        engine.execute(f"CREATE VIEW {table} AS SELECT * FROM delta_scan('{base}/{table}')")

    def ask(sql):
        value = engine.execute(sql).fetchone()[0]
        return value if isinstance(value, (int, float, type(None))) else int(value)

    return {"reader": "duckdb", **answers(ask)}


def secret():
    endpoint = urlparse(os.environ.get("AWS_ENDPOINT_URL", ""))
    options = {
        "TYPE": "s3",
        "KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID"),
        "SECRET": os.environ.get("AWS_SECRET_ACCESS_KEY"),
        "REGION": os.environ.get("AWS_REGION"),
        "ENDPOINT": endpoint.netloc or None,
        "URL_STYLE": "path" if endpoint.netloc else None,
        "USE_SSL": "false" if endpoint.scheme == "http" else None,
    }
    given = [f"{name} '{value}'" for name, value in options.items() if value]
    return f"CREATE SECRET ({', '.join(given)})"


def main():
    base = sys.argv[1].rstrip("/")
    if base.startswith("file://"):
        base = unquote(urlparse(base).path)
    print(json.dumps([with_delta_rs(base), with_duckdb(base)]))


if __name__ == "__main__":
    main()
