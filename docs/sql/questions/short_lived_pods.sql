-- Which workloads run pods that live for less than a minute, how many, and what do those use together? Tools that ask every
-- 15 or 30 seconds never see most of them. A pod counts if its last row is there, all of its windows are a minute at most,
-- and it began after the first window of its node on this day. Needs the view pod_windows.

WITH ended AS (
  SELECT DISTINCT pod_id
  FROM pod_usage
  WHERE cluster = 'production' AND date = DATE '2026-11-20' AND is_final
),
lives AS (
  SELECT
    node_name, namespace, workload_kind, workload, pod_windows.pod_id,
    min(window_start) AS began,
    sum(window_seconds) AS seconds,
    sum(cpu_seconds) AS cpu_seconds,
    max(memory_peak_bytes) AS memory_peak_bytes,
    sum(net_tx_bytes_delta + net_rx_bytes_delta) AS bytes
  FROM pod_windows
  JOIN ended ON ended.pod_id = pod_windows.pod_id
  WHERE cluster = 'production' AND date = DATE '2026-11-20' AND namespace IS NOT NULL
  GROUP BY node_name, namespace, workload_kind, workload, pod_windows.pod_id
),
firsts AS (
  SELECT node_name, min(window_end) AS first_window_end
  FROM reconcile
  WHERE cluster = 'production' AND date = DATE '2026-11-20'
  GROUP BY node_name
)
SELECT
  namespace,
  workload_kind,
  workload,
  count(*) AS pods,
  sum(cpu_seconds) AS cpu_seconds,
  max(memory_peak_bytes) AS memory_peak_bytes,
  sum(bytes) AS bytes
FROM lives
JOIN firsts ON firsts.node_name = lives.node_name AND began >= first_window_end
WHERE seconds <= 60.1
GROUP BY namespace, workload_kind, workload
ORDER BY pods DESC, namespace, workload;
