#!/usr/bin/env python3
"""The plain collector that podledger replaces: what `cargo xtask bench agent` compares the agent with.

Every interval it asks the kubelet for its summary and the instance metadata service for the instance's
id, makes one entry for each pod and posts them all. It is written as such collectors are, with requests
and json, and nothing in it is slower than it has to be: one session, so connections are kept.
"""

import argparse
import os
import random
import socket
import sys
import time
from datetime import datetime, timezone

import requests

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
IMDS_TIMEOUT_SECONDS = 2
TIMEOUT_SECONDS = 10


def flag(name, default):
    """A switch from the environment."""
    return os.environ.get(name, default).strip().lower() in ("1", "true", "yes")


class Settings:
    """The environment variables of the collector, and what only a measurement changes."""

    def __init__(self, arguments):
        environment = os.environ.get
        self.push = arguments.push or environment("PUSH_ENDPOINT", "http://aggregator:8080/metrics")
        self.interval = float(environment("SCRAPE_INTERVAL", "30"))
        self.jitter = float(environment("JITTER_PERCENT", "20")) / 100
        self.max_failures = int(environment("MAX_CONSECUTIVE_FAILURES", "5"))
        self.kubelet = environment("KUBELET_ENDPOINT", "https://127.0.0.1:10250/stats/summary")
        self.wants_instance_id = flag("ENABLE_EC2_INSTANCE_ID", "true")
        self.token_ttl = environment("EC2_METADATA_TOKEN_TTL", "21600")
        self.force_v1 = flag("FORCE_IMDSV1", "false")
        self.imds = arguments.imds
        self.token_file = arguments.token_file
        self.ca_file = arguments.ca_file
        self.cycles = arguments.cycles


def instance_id(session, settings):
    """The id by version 2, or else by version 1, or none."""
    url = f"{settings.imds}/latest/meta-data/instance-id"
    headers = {}
    if not settings.force_v1:
        try:
            answer = session.put(
                f"{settings.imds}/latest/api/token",
                headers={"X-aws-ec2-metadata-token-ttl-seconds": settings.token_ttl},
                timeout=IMDS_TIMEOUT_SECONDS,
            )
            answer.raise_for_status()
            headers["X-aws-ec2-metadata-token"] = answer.text
        except requests.RequestException:
            pass
    try:
        answer = session.get(url, headers=headers, timeout=IMDS_TIMEOUT_SECONDS)
        answer.raise_for_status()
        return answer.text
    except requests.RequestException:
        return None


def summary(session, settings):
    """The kubelet's answer. The token is read each time, because it changes every hour."""
    with open(settings.token_file, encoding="ascii") as file:
        token = file.read().strip()
    answer = session.get(
        settings.kubelet,
        headers={"Authorization": f"Bearer {token}"},
        verify=settings.ca_file,
        timeout=TIMEOUT_SECONDS,
    )
    answer.raise_for_status()
    return answer.json()


def pod_entry(pod):
    """What is published of one pod."""
    reference = pod.get("podRef", {})
    network = pod.get("network", {})
    return {
        "pod_id": reference.get("uid"),
        "namespace": reference.get("namespace"),
        "name": reference.get("name"),
        "cpu_usage_cores": pod.get("cpu", {}).get("usageNanoCores", 0) / 1e9,
        "memory_usage_bytes": pod.get("memory", {}).get("usageBytes", 0),
        "net_tx_bytes": network.get("txBytes", 0),
        "net_rx_bytes": network.get("rxBytes", 0),
        "pod_start_time": pod.get("startTime"),
    }


def collect(session, settings):
    """One cycle; the number of pods that were published."""
    stats = summary(session, settings)
    payload = {
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "node_name": stats["node"]["nodeName"],
        "hostname": socket.gethostname(),
        "ec2_instance_id": instance_id(session, settings) if settings.wants_instance_id else None,
        "pods": [pod_entry(pod) for pod in stats.get("pods", [])],
    }
    if settings.push != "none":
        answer = session.post(settings.push, json=payload, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
    return len(payload["pods"])


def run(settings):
    """Cycles until too many in a row fail, or until there were as many as asked for."""
    session = requests.Session()
    failures = 0
    cycle = 0
    while settings.cycles is None or cycle < settings.cycles:
        cycle += 1
        try:
            count = collect(session, settings)
            failures = 0
            print(f"Pushed {count} pod metrics", flush=True)
        except (requests.RequestException, OSError, ValueError, KeyError) as error:
            failures += 1
            print(f"Failed {failures} times in a row: {error}", flush=True)
            if failures >= settings.max_failures:
                return 1
        time.sleep(settings.interval * (1 + random.uniform(-settings.jitter, settings.jitter)))
    return 0


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--push", metavar="URL|none", help="instead of PUSH_ENDPOINT; none to drop")
    parser.add_argument("--imds", default="http://169.254.169.254", metavar="URL")
    parser.add_argument("--token-file", default=f"{SERVICE_ACCOUNT}/token", metavar="FILE")
    parser.add_argument("--ca-file", default=f"{SERVICE_ACCOUNT}/ca.crt", metavar="FILE")
    parser.add_argument("--cycles", type=int, help="end after so many")
    return run(Settings(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
