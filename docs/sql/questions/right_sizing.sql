-- Which workloads ask for far more CPU than they need, and which for less? The request of a pod beside the 99th percentile of its 100 ms
-- windows, the highest of any window of the day: with a request of this size it would have been above it for 1 % of that
-- window at most. One day is little: widen the condition to a week.

WITH pods AS (
  SELECT
    namespace, workload_kind, workload, pod_id,
    max(requests_cpu_millicores) AS request_millicores,
    max(cpu_p99_cores) * 1e3 AS needed_millicores,
    max(requests_memory_bytes) AS request_bytes,
    max(memory_working_set_bytes) AS needed_bytes,
    sum(cpu_over_request_seconds) AS over_request_seconds
  FROM pod_usage
  WHERE cluster = 'production' AND date = DATE '2026-11-20' AND requests_cpu_millicores IS NOT NULL
  GROUP BY namespace, workload_kind, workload, pod_id
)
SELECT
  namespace,
  workload_kind,
  workload,
  count(*) AS pods,
  max(request_millicores) AS request_millicores,
  max(needed_millicores) AS needed_millicores,
  sum(request_millicores - needed_millicores) AS spare_millicores,
  max(request_bytes) AS request_bytes,
  max(needed_bytes) AS needed_bytes,
  sum(over_request_seconds) AS over_request_seconds
FROM pods
GROUP BY namespace, workload_kind, workload
ORDER BY spare_millicores DESC, namespace, workload;
