-- What did the workloads of one namespace use on one day, from the hourly table: the fast way.

SELECT
  workload_kind,
  workload,
  count(DISTINCT pod_id) AS pods,
  sum(cpu_seconds) / 3600e0 AS vcpu_hours,
  max(cpu_peak_cores) AS highest_peak_cores,
  max(memory_peak_bytes) AS memory_peak_bytes,
  sum(net_tx_bytes) AS tx_bytes,
  sum(net_rx_bytes) AS rx_bytes,
  sum(oom_kills) AS oom_kills,
  sum(restarts) AS restarts
FROM pod_usage_hourly
WHERE cluster_id = 'production' AND hour >= TIMESTAMP '2026-11-20 00:00:00' AND hour < TIMESTAMP '2026-11-21 00:00:00' AND namespace = 'checkout'
GROUP BY workload_kind, workload
ORDER BY vcpu_hours DESC;
