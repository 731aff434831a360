"""An aggregator as the older documents describe it: JSON by POST /metrics, validated against a JSON schema, joined
with what is cached of the pod, and made into a Parquet file of the published columns with pyarrow for every 200,000
rows. `bench aggregator` compares podledger's with it.

Usage: plain_aggregator.py DIRECTORY. Prints its port; GET /cpu answers rows taken and CPU seconds used since the
start of the first request."""

import json
import resource
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import jsonschema
import pyarrow
import pyarrow.parquet

COMMIT_ROWS = 200_000
OPTIONAL_NUMBER = {"type": ["number", "null"], "minimum": 0}
OPTIONAL_INTEGER = {"type": ["integer", "null"], "minimum": 0}
POD = {
    "type": "object",
    "required": ["pod_id", "namespace", "name"],
    "properties": {
        "pod_id": {"type": "string", "minLength": 1},
        "namespace": {"type": "string", "minLength": 1},
        "name": {"type": "string", "minLength": 1},
        "cpu_usage_cores": OPTIONAL_NUMBER,
        "memory_usage_bytes": OPTIONAL_INTEGER,
        "net_tx_bytes": OPTIONAL_INTEGER,
        "net_rx_bytes": OPTIONAL_INTEGER,
        "pod_start_time": {"type": ["string", "null"]},
    },
}
PAYLOAD = {
    "type": "object",
    "required": ["timestamp", "node_name", "pods"],
    "properties": {
        "timestamp": {"type": "string"},
        "node_name": {"type": "string", "minLength": 1},
        "hostname": {"type": "string"},
        "ec2_instance_id": {"type": ["string", "null"]},
        "pods": {"type": "array", "items": POD},
    },
}
TEXTS = pyarrow.list_(pyarrow.string())
SCHEMA = pyarrow.schema(
    [
        ("timestamp", pyarrow.string()),
        ("cluster_id", pyarrow.string()),
        ("node_name", pyarrow.string()),
        ("ec2_instance_id", pyarrow.string()),
        ("pod_id", pyarrow.string()),
        ("namespace", pyarrow.string()),
        ("owner", pyarrow.string()),
        ("cpu_usage_cores", pyarrow.float64()),
        ("memory_usage_bytes", pyarrow.int64()),
        ("net_tx_bytes", pyarrow.int64()),
        ("net_rx_bytes", pyarrow.int64()),
        ("requests_cpu_millicores", pyarrow.int64()),
        ("requests_memory_bytes", pyarrow.int64()),
        ("limits_cpu_millicores", pyarrow.int64()),
        ("limits_memory_bytes", pyarrow.int64()),
        ("labels", TEXTS),
        ("annotations", TEXTS),
        ("pvc_count", pyarrow.int32()),
        ("total_pvc_storage_bytes", pyarrow.int64()),
        ("pvc_names", TEXTS),
        ("aws_volume_ids", TEXTS),
    ]
)
# What a watch knows of a pod. All pods are alike here: a look-up costs the same.
CACHED = {
    "owner": "ReplicaSet/api-5d4f8c7b9",
    "requests_cpu_millicores": 250,
    "requests_memory_bytes": 256 << 20,
    "limits_memory_bytes": 512 << 20,
    "pvc_count": 0,
    "total_pvc_storage_bytes": 0,
}


class Table:
    """Rows that wait for their file, and what was used so far."""

    def __init__(self, directory):
        self.directory = directory
        self.validator = jsonschema.Draft202012Validator(PAYLOAD)
        self.cache = {}
        self.waiting = []
        self.rows = 0
        self.files = 0

    def add(self, payload):
        for error in self.validator.iter_errors(payload):
            raise ValueError(error.message)
        for pod in payload["pods"]:
            self.waiting.append(
                {
                    "timestamp": payload["timestamp"],
                    "cluster_id": "production",
                    "node_name": payload["node_name"],
                    "ec2_instance_id": payload.get("ec2_instance_id"),
                    "pod_id": pod["pod_id"],
                    "namespace": pod["namespace"],
                    "cpu_usage_cores": pod.get("cpu_usage_cores"),
                    "memory_usage_bytes": pod.get("memory_usage_bytes"),
                    "net_tx_bytes": pod.get("net_tx_bytes"),
                    "net_rx_bytes": pod.get("net_rx_bytes"),
                    **self.cache.setdefault((pod["namespace"], pod["name"]), CACHED),
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
