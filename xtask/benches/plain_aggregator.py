"""An aggregator as the older documents describe it, for the rows of today: JSON by POST /metrics, validated against a
JSON schema, joined with what is cached of the pod, and made into Parquet files with pyarrow, one of each table for every
200,000 rows. `bench aggregator` compares podledger's with it.

Usage: plain_aggregator.py DIRECTORY COLUMNS. COLUMNS is a JSON file: table to column to kind. Prints its port; GET /cpu
answers pods taken and CPU seconds used since the start of the first request."""

import json
import resource
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import jsonschema
import pyarrow
import pyarrow.parquet

COMMIT_ROWS = 200_000
# Kind of a column to its JSON schema and its type in a file.
KINDS = {
    "long": ({"type": ["integer", "null"]}, pyarrow.int64()),
    "int": ({"type": ["integer", "null"]}, pyarrow.int32()),
    "double": ({"type": ["number", "null"]}, pyarrow.float64()),
    "boolean": ({"type": ["boolean", "null"]}, pyarrow.bool_()),
    "text": ({"type": ["string", "null"]}, pyarrow.string()),
    "time": ({"type": ["string", "null"]}, pyarrow.string()),
    "texts": ({"type": ["array", "null"], "items": {"type": "string"}}, pyarrow.list_(pyarrow.string())),
}
# What a watch knows of a pod. All pods are alike here: a look-up costs the same.
CACHED = {"owner": "ReplicaSet/api-5d4f8c7b9", "pvc_count": 0, "total_pvc_storage_bytes": 0}


def validator(columns):
    """Of a payload: a node, a time, and rows by table."""
    rows = {
        table: {
            "type": "array",
            "items": {"type": "object", "properties": {name: KINDS[kind][0] for name, kind in of.items()}},
        }
        for table, of in columns.items()
    }
    return jsonschema.Draft202012Validator(
        {
            "type": "object",
            "required": ["timestamp", "node_name", "rows"],
            "properties": {
                "timestamp": {"type": "string"},
                "node_name": {"type": "string", "minLength": 1},
                "rows": {"type": "object", "properties": rows},
            },
        }
    )


class Tables:
    """Rows that wait for their files, and what was used so far."""

    def __init__(self, directory, columns):
        self.directory = directory
        self.validator = validator(columns)
        self.schemas = {
            table: pyarrow.schema([(name, KINDS[kind][1]) for name, kind in of.items()])
            for table, of in columns.items()
        }
        self.cache = {}
        self.waiting = {table: [] for table in columns}
        self.pods = 0
        self.files = 0

    def add(self, payload):
        for error in self.validator.iter_errors(payload):
            raise ValueError(error.message)
        for table, rows in payload["rows"].items():
            for row in rows:
                row["node_name"] = payload["node_name"]
                if table == "pod_usage":
                    row.update(self.cache.setdefault(row["pod_id"], CACHED))
                    self.pods += 1
            self.waiting[table].extend(rows)
        if sum(map(len, self.waiting.values())) >= COMMIT_ROWS:
            self.commit()

    def commit(self):
        for name, rows in self.waiting.items():
            if rows:
                table = pyarrow.Table.from_pylist(rows, schema=self.schemas[name])
                path = f"{self.directory}/{name}-{self.files:05}.parquet"
                pyarrow.parquet.write_table(table, path, compression="zstd")
                self.files += 1
        self.waiting = {table: [] for table in self.waiting}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            self.server.tables.add(json.loads(body))
            self.answer(200, {"status": "ok"})
        except ValueError as error:
            self.answer(400, {"error": str(error)})

    def do_GET(self):
        self.server.tables.commit()
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = used.ru_utime + used.ru_stime - self.server.idle_seconds
        self.answer(200, {"pods": self.server.tables.pods, "cpu_seconds": seconds})

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    server = HTTPServer(("127.0.0.1", 0), Handler)
    with open(sys.argv[2], encoding="utf-8") as columns:
        server.tables = Tables(sys.argv[1], json.load(columns))
    used = resource.getrusage(resource.RUSAGE_SELF)
    server.idle_seconds = used.ru_utime + used.ru_stime
    print(server.server_port, flush=True)
    server.serve_forever()


main()
