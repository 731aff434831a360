"""Times a question of docs/sql on DuckDB, beginning with a cold engine each time. Prints the seconds, best first.

Usage: time_question.py DIRECTORY docs/sql questions/day_of_a_namespace.sql
"""

import sys
import time
from pathlib import Path

import duckdb
from duckdb_extensions import import_extension

ROUNDS = 5


def main():
    base, pack, question = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    tables = (pack / "duckdb/tables.sql").read_text().replace("s3://bucket/prefix", base).replace("INSTALL delta;", "")
    seconds = []
    for _ in range(ROUNDS):
        engine = duckdb.connect()
        import_extension("delta", con=engine)
        engine.execute(tables)
        begun = time.monotonic()
        rows = engine.execute((pack / question).read_text()).fetchall()
        seconds.append(time.monotonic() - begun)
        assert rows, f"{question} has no answer"
    print(*sorted(seconds))


if __name__ == "__main__":
    main()
