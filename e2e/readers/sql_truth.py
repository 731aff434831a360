"""What the questions of docs/sql should answer, found with loops over rows that delta-rs reads: no SQL but to read them.

Each function gives the columns that name a row of the answer, and for each row the values of some columns.
"""

from collections import defaultdict
from functools import cache

from deltalake import DeltaTable, QueryBuilder

PRICE = {"vcpu": 0.0398, "gib": 0.0044, "cross_zone": 0.01, "internet": 0.09}
GIB = 2**30
USAGE = """namespace workload_kind workload pod_id pod_name node_name seq is_final cpu_seconds cpu_usage_cores cpu_peak_cores
    cpu_p99_cores cpu_throttled_seconds cpu_throttled_periods cpu_over_request_seconds requests_cpu_millicores
    requests_memory_bytes limits_cpu_millicores limits_memory_bytes memory_working_set_bytes net_tx_bytes_delta
    net_rx_bytes_delta oom_kills restarts labels ec2_instance_id memory_peak_bytes""".split()
NETWORK = "namespace pod_id pod_name class tx_bytes_delta rx_bytes_delta".split()
EVENTS = "kind outcome reason namespace pod_id incident peak_rss_bytes".split()
LEDGER = "node_name seq cpu_ns_total cpu_ns_rows net_tx_bytes_total".split()


class Tables:
    """Rows as dictionaries."""

    def __init__(self, base):
        self.base = base

    @cache
    def rows(self, table, columns, times=()):
        engine = QueryBuilder()
        engine.register(table, DeltaTable(f"{self.base}/{table}"))
        chosen = list(columns) + [f"CAST({time} AS bigint) AS {time}" for time in times]
        batch = engine.execute(f"SELECT {', '.join(chosen)} FROM {table}").read_all()
        names = list(columns) + list(times)
        lists = [[value.as_py() for value in batch.column(at)] for at in range(len(names))]
        return [dict(zip(names, row)) for row in zip(*lists)]

    def usage(self):
        rows = self.rows("pod_usage", tuple(USAGE), ("window_start", "window_end"))
        for row in rows:
            row["seconds"] = (row["window_end"] - row["window_start"]) / 1e6
        return rows

    def network(self):
        return self.rows("pod_network", tuple(NETWORK))

    def events(self):
        return self.rows("events", tuple(EVENTS))

    def ledger(self):
        return self.rows("reconcile", tuple(LEDGER), ("window_end",))


def numbers():
    return defaultdict(lambda: defaultdict(float))


def billed(row):
    cpu_seconds = max((row["requests_cpu_millicores"] or 0) / 1e3 * row["seconds"], row["cpu_seconds"])
    memory = max(row["requests_memory_bytes"] or 0, row["memory_working_set_bytes"] or 0)
    return cpu_seconds, memory / GIB * row["seconds"]


def cost_by_namespace(tables):
    found = numbers()
    for row in tables.usage():
        of = found[(row["namespace"] or "(node)",)]
        cpu_seconds, gib_seconds = billed(row)
        of["used_vcpu_hours"] += row["cpu_seconds"] / 3600
        of["billed_vcpu_hours"] += cpu_seconds / 3600
        of["cpu_usd"] += cpu_seconds / 3600 * PRICE["vcpu"]
        of["memory_usd"] += gib_seconds / 3600 * PRICE["gib"]
        of["total_usd"] += cpu_seconds / 3600 * PRICE["vcpu"] + gib_seconds / 3600 * PRICE["gib"]
    for row in tables.network():
        of = found[(row["namespace"] or "(node)",)]
        if row["class"] == "cross_zone":
            usd = (row["tx_bytes_delta"] + row["rx_bytes_delta"]) / 1e9 * PRICE["cross_zone"]
            of["cross_zone_usd"] += usd
            of["total_usd"] += usd
        if row["class"] == "internet":
            of["internet_usd"] += row["tx_bytes_delta"] / 1e9 * PRICE["internet"]
            of["total_usd"] += row["tx_bytes_delta"] / 1e9 * PRICE["internet"]
    return ["namespace"], found


def day_of_a_namespace(tables):
    found, pods = numbers(), defaultdict(set)
    for row in tables.usage():
        if row["namespace"] == "checkout":
            key = (row["workload_kind"], row["workload"])
            pods[key].add(row["pod_id"])
            of = found[key]
            of["pods"] = len(pods[key])
            of["vcpu_hours"] += row["cpu_seconds"] / 3600
            of["highest_peak_cores"] = max(of["highest_peak_cores"], row["cpu_peak_cores"])
            of["tx_bytes"] += row["net_tx_bytes_delta"]
            of["rx_bytes"] += row["net_rx_bytes_delta"]
            of["oom_kills"] += row["oom_kills"]
            of["restarts"] += row["restarts"]
    return ["workload_kind", "workload"], found


def top_talkers(tables):
    pods = numbers()
    for row in tables.network():
        if row["class"] != "loopback":
            of = pods[(row["class"], row["pod_id"], row["namespace"], row["pod_name"] or row["pod_id"])]
            of["tx_bytes"] += row["tx_bytes_delta"]
            of["rx_bytes"] += row["rx_bytes_delta"]
    # A service of the node is on all of them under one name.
    order = sorted(pods.items(), key=lambda pod: (-pod[1]["tx_bytes"] - pod[1]["rx_bytes"], pod[0][1]))
    found, places = {}, defaultdict(int)
    for (kind, _, namespace, name), moved in order:
        places[kind] += 1
        if places[kind] <= 5:
            found[(kind, places[kind])] = {"namespace": namespace, "pod": name, **moved}
    return ["class", "place"], found


def throttled_below_limit(tables):
    found, cores = numbers(), defaultdict(list)
    for row in tables.usage():
        limit = row["limits_cpu_millicores"]
        if limit and row["cpu_throttled_seconds"] > 0 and row["cpu_usage_cores"] * 1000 < limit / 2:
            key = (row["namespace"], row["workload"])
            cores[key].append(row["cpu_usage_cores"])
            of = found[key]
            of["windows"] += 1
            of["throttled_seconds"] += row["cpu_throttled_seconds"]
            of["throttled_periods"] += row["cpu_throttled_periods"]
            of["mean_cores"] = sum(cores[key]) / len(cores[key])
            of["limit_cores"] = max(of["limit_cores"], limit / 1000)
    return ["namespace", "workload"], found


def right_sizing(tables):
    pods = defaultdict(list)
    for row in tables.usage():
        if row["requests_cpu_millicores"] is not None:
            pods[(row["namespace"], row["workload_kind"], row["workload"], row["pod_id"])].append(row)
    found = numbers()
    for key, rows in pods.items():
        request = max(row["requests_cpu_millicores"] for row in rows)
        needed = max(row["cpu_p99_cores"] for row in rows) * 1000
        of = found[key[:3]]
        of["pods"] += 1
        of["request_millicores"] = max(of["request_millicores"], request)
        of["needed_millicores"] = max(of["needed_millicores"], needed)
        of["spare_millicores"] += request - needed
        of["over_request_seconds"] += sum(row["cpu_over_request_seconds"] for row in rows)
    return ["namespace", "workload_kind", "workload"], found


def oom_history(tables):
    found, restarted = numbers(), defaultdict(int)
    for row in tables.events():
        restarted[row["pod_id"]] += row["kind"] == "restart" and row["reason"] == "OOMKilled"
    for row in tables.events():
        if row["kind"] == "oom_kill" and row["outcome"] == "killed":
            of = found[(row["pod_id"], row["incident"])]
            of["processes"] += 1
            of["largest_rss_bytes"] = max(of["largest_rss_bytes"], row["peak_rss_bytes"])
            of["restarted"] = restarted[row["pod_id"]]
    return ["pod_id", "incident"], found


def short_lived_pods(tables):
    firsts, lives = {}, defaultdict(list)
    for row in tables.ledger():
        firsts[row["node_name"]] = min(row["window_end"], firsts.get(row["node_name"], row["window_end"]))
    for row in tables.usage():
        if row["namespace"]:
            lives[row["pod_id"]].append(row)
    found = numbers()
    for rows in lives.values():
        began = min(row["window_start"] for row in rows)
        is_new = began >= firsts[rows[0]["node_name"]]
        if is_new and any(row["is_final"] for row in rows) and sum(row["seconds"] for row in rows) <= 60.1:
            of = found[(rows[0]["namespace"], rows[0]["workload_kind"], rows[0]["workload"])]
            of["pods"] += 1
            of["cpu_seconds"] += sum(row["cpu_seconds"] for row in rows)
            of["memory_peak_bytes"] = max(of["memory_peak_bytes"], *(row["memory_peak_bytes"] for row in rows))
    return ["namespace", "workload_kind", "workload"], found


def conservation(tables):
    found = numbers()
    for row in tables.ledger():
        of = found[(row["node_name"],)]
        of["windows"] += 1
        of["cpu_seconds_total"] += row["cpu_ns_total"] / 1e9
        of["lost_cpu_seconds"] += (row["cpu_ns_total"] - row["cpu_ns_rows"]) / 1e9
        of["tx_bytes_total"] += row["net_tx_bytes_total"]
        of |= {"gaps": 0, "lost_tx_bytes": 0, "apart_tx_bytes": 0, "apart_cpu_seconds": 0.0}
    return ["node_name"], found


def cpu_by_team(tables):
    found, pods = numbers(), defaultdict(set)
    for row in tables.usage():
        teams = [label.split("=", 1)[1] for label in row["labels"] or [] if label.startswith("team=")]
        key = (teams[0] if teams else None,)
        pods[key].add(row["pod_id"])
        found[key]["pods"] = len(pods[key])
        found[key]["vcpu_hours"] += row["cpu_seconds"] / 3600
    return ["team"], found


def cur_by_namespace(tables):
    """A dollar for each instance and hour, divided by what was held."""
    weights, all_of = defaultdict(float), defaultdict(float)
    pods = defaultdict(list)
    for row in tables.usage():
        pods[(row["ec2_instance_id"], (row["window_end"] - 1) // 3_600_000_000, row["pod_id"])].append(row)
    for (instance, hour, _), rows in pods.items():
        seconds = sum(row["seconds"] for row in rows)
        cores = max(row["requests_cpu_millicores"] or 0 for row in rows) / 1e3
        working_sets = [row["memory_working_set_bytes"] for row in rows if row["memory_working_set_bytes"] is not None]
        mean = sum(working_sets) / len(working_sets) if working_sets else 0
        memory = max(max(row["requests_memory_bytes"] or 0 for row in rows), mean)
        weight = 9 * max(cores * seconds, sum(row["cpu_seconds"] for row in rows)) + memory / GIB * seconds
        weights[(rows[0]["namespace"] or "(node)", instance, hour)] += weight
        all_of[(instance, hour)] += weight
    found = numbers()
    for (namespace, instance, hour), weight in weights.items():
        found[(namespace,)]["usd"] += weight / all_of[(instance, hour)]
    return ["namespace"], found


OF = {
    "questions/cost_by_namespace": cost_by_namespace,
    "questions/day_of_a_namespace": day_of_a_namespace,
    "questions/top_talkers": top_talkers,
    "questions/throttled_below_limit": throttled_below_limit,
    "questions/right_sizing": right_sizing,
    "questions/oom_history": oom_history,
    "questions/short_lived_pods": short_lived_pods,
    "questions/conservation": conservation,
    "questions/holes": lambda _: (["node_name", "epoch"], {}),
    "duckdb/cpu_by_team": cpu_by_team,
    "hourly/cur_by_namespace": cur_by_namespace,
    "hourly/focus_by_namespace": cur_by_namespace,
}
