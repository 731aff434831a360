"""An aggregator as the older documents describe it: JSON by POST /metrics, checked, made into a Parquet file with
pyarrow for every 200,000 rows. `bench aggregator` compares podledger's with it.

Usage: plain_aggregator.py DIRECTORY. Prints its port; GET /cpu answers rows taken and CPU seconds used since the
start of the first request."""

import json
import resource
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import pyarrow
import pyarrow.parquet

COMMIT_ROWS = 200_000
REQUIRED = {"pod_id": str, "namespace": str, "name": str}
SCHEMA = pyarrow.schema(
    [
        ("timestamp", pyarrow.string()),
        ("cluster_id", pyarrow.string()),
        ("node_name", pyarrow.string()),
        ("ec2_instance_id", pyarrow.string()),
        ("pod_id", pyarrow.string()),
        ("namespace", pyarrow.string()),
        ("name", pyarrow.string()),
        ("cpu_usage_cores", pyarrow.float64()),
        ("memory_usage_bytes", pyarrow.int64()),
        ("net_tx_bytes", pyarrow.int64()),
        ("net_rx_bytes", pyarrow.int64()),
    ]
)


class Table:
    """Rows that wait for their file, and what was used so far."""

    def __init__(self, directory):
        self.directory = directory
        self.waiting = []
        self.rows = 0
        self.files = 0

    def add(self, payload):
        for field in ("timestamp", "node_name", "pods"):
            if field not in payload:
                raise ValueError(f"{field} is missing")
        for pod in payload["pods"]:
            for field, kind in REQUIRED.items():
                if not isinstance(pod.get(field), kind):
                    raise ValueError(f"{field} is missing or of a wrong type")
            self.waiting.append(
                {
                    "timestamp": payload["timestamp"],
                    "cluster_id": "production",
                    "node_name": payload["node_name"],
                    "ec2_instance_id": payload.get("ec2_instance_id"),
                    **{field.name: pod.get(field.name) for field in list(SCHEMA)[4:]},
                }
            )
        self.rows += len(payload["pods"])
        if len(self.waiting) >= COMMIT_ROWS:
            self.commit()

    def commit(self):
        if self.waiting:
            table = pyarrow.Table.from_pylist(self.waiting, schema=SCHEMA)
            path = f"{self.directory}/part-{self.files:05}.parquet"
            pyarrow.parquet.write_table(table, path, compression="zstd")
            self.files += 1
            self.waiting = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            self.server.table.add(json.loads(body))
            self.answer(200, {"status": "ok"})
        except ValueError as error:
            self.answer(400, {"error": str(error)})

    def do_GET(self):
        self.server.table.commit()
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = used.ru_utime + used.ru_stime - self.server.idle_seconds
        self.answer(200, {"rows": self.server.table.rows, "cpu_seconds": seconds})

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
    server.table = Table(sys.argv[1])
    used = resource.getrusage(resource.RUSAGE_SELF)
    server.idle_seconds = used.ru_utime + used.ru_stime
    print(server.server_port, flush=True)
    server.serve_forever()


main()
