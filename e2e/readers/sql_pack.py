"""Runs every statement of docs/sql on DuckDB over generated tables, and compares what the questions answer with
what plain loops over the rows find (sql_truth.py). Statements of other engines are parsed in their dialects.

Usage: sql_pack.py DIRECTORY docs/sql    Prints one line of JSON: how many rows each question answered.
"""

import json
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import duckdb
import sqlglot
import sql_truth
from duckdb_extensions import import_extension

# What every engine is given word for word.
COMMON = ["views", "questions", "hourly"]
OTHERS = ["trino", "athena", "spark"]
VIEWS = ["prices", "pod_traffic", "pod_cost"]
# Without a bill there is nobody to ask for one: an instance costs a dollar in each hour.
BILLS = """
CREATE VIEW cur2 AS
SELECT ec2_instance_id AS line_item_resource_id, hour AS line_item_usage_start_date, 'AmazonEC2' AS line_item_product_code,
       'RunInstances:0002' AS line_item_operation, 1.0 AS line_item_unblended_cost
FROM (SELECT DISTINCT ec2_instance_id, hour FROM pod_usage_hourly);
CREATE VIEW focus AS
SELECT line_item_resource_id AS ResourceId, line_item_usage_start_date AS ChargePeriodStart, 'Usage' AS ChargeCategory,
       line_item_unblended_cost AS EffectiveCost
FROM cur2;
"""

def statements(text):
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]


def check_head(path, text):
    first = text.split("\n\n", 1)[0]
    assert all(line.startswith("-- ") for line in first.splitlines()), f"{path} says not what it answers"


def parse_all(pack):
    """Each file in the dialect of its folder, those for all in all of them. DuckDB's are run below."""
    parsed = 0
    for path in sorted(pack.glob("*/*.sql")):
        text = path.read_text()
        check_head(path, text)
        engine = path.parent.name
        dialects = OTHERS if engine in COMMON else [engine]
        for dialect in dialects if engine != "duckdb" else []:
            for statement in statements(text):
                tree = sqlglot.parse_one(statement, dialect=dialect)
                is_known = not isinstance(tree, sqlglot.exp.Command) or statement.startswith("CALL ")
                assert is_known, f"{path} as {dialect}: {statement}"
                parsed += 1
    return parsed


def open_tables(base, pack):
    engine = duckdb.connect()
    import_extension("delta", con=engine)
    engine.execute("SET threads = 1")
    for statement in statements((pack / "duckdb/tables.sql").read_text()):
        engine.execute(statement.replace("s3://bucket/prefix", base))
    for view in VIEWS:
        run(engine, pack / f"views/{view}.sql")
    engine.execute(BILLS)
    return engine


def run(engine, path):
    """The rows of a file's last statement, each with its columns' names."""
    for statement in statements(path.read_text()):
        cursor = engine.execute(statement)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def is_same(one, other):
    if isinstance(one, float) or isinstance(other, float):
        return abs(one - other) <= 1e-9 * max(abs(one), abs(other)) + 1e-6
    return one == other


def compare(name, answer, truth):
    """`truth` is a dictionary: by the values of its key's columns, the values of others."""
    keys, rows = truth
    found = {tuple(row[key] for key in keys): row for row in answer}
    assert len(found) == len(answer), f"{name}: a key comes twice"
    assert set(found) == set(rows), f"{name}: {set(found) ^ set(rows)}"
    for key, values in rows.items():
        for column, value in values.items():
            told = found[key][column]
            assert is_same(told, value), f"{name}: {key} {column}: {told}, and not {value}"


def main():
    base, pack = sys.argv[1].rstrip("/"), Path(sys.argv[2])
    if base.startswith("file://"):
        base = unquote(urlparse(base).path)
    parsed = parse_all(pack)
    engine = open_tables(base, pack)
    tables = sql_truth.Tables(base)
    told = {"parsed": parsed, "rows": {}, "compared": 0}
    files = [*pack.glob("questions/*.sql"), *pack.glob("hourly/*.sql"), pack / "duckdb/cpu_by_team.sql"]
    for path in sorted(files):
        name = f"{path.parent.name}/{path.stem}"
        answer = run(engine, path)
        told["rows"][name] = len(answer)
        if truth := sql_truth.OF.get(name):
            compare(name, answer, truth(tables))
            told["compared"] += 1
    print(json.dumps(told))


if __name__ == "__main__":
    main()
