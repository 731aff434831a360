-- What did the workloads of one namespace use on one day?

SELECT
  workload_kind,
  workload,
  count(DISTINCT pod_id) AS pods,
  sum(cpu_seconds) / 3600e0 AS vcpu_hours,
  max(cpu_peak_cores) AS highest_peak_cores,
  max(memory_working_set_bytes) AS highest_working_set_bytes,
  sum(net_tx_bytes_delta) AS tx_bytes,
  sum(net_rx_bytes_delta) AS rx_bytes,
  sum(oom_kills) AS oom_kills,
  sum(restarts) AS restarts
FROM pod_usage
WHERE cluster = 'production' AND date = DATE '2026-11-20' AND namespace = 'checkout'
GROUP BY workload_kind, workload
ORDER BY vcpu_hours DESC;
