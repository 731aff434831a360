-- What each pod's CPU and memory cost in each window. Whoever asks for more than is used pays for what was asked for:
-- CPU at max(request, use), memory at max(request, working set). A window counts whole, also for a pod that lived for a
-- part of it. Needs the views pod_windows and prices.

CREATE OR REPLACE VIEW pod_cost AS
SELECT
  cluster, date, window_end, node_name, ec2_instance_id, namespace, workload_kind, workload, pod_id, pod_name,
  cpu_seconds,
  greatest(coalesce(requests_cpu_millicores, 0) / 1e3 * window_seconds, coalesce(cpu_seconds, 0)) AS billed_cpu_seconds,
  greatest(coalesce(requests_memory_bytes, 0), coalesce(memory_working_set_bytes, 0)) / 1073741824e0
    * window_seconds AS billed_gib_seconds,
  greatest(coalesce(requests_cpu_millicores, 0) / 1e3 * window_seconds, coalesce(cpu_seconds, 0)) / 3600e0
    * vcpu_hour_usd AS cpu_usd,
  greatest(coalesce(requests_memory_bytes, 0), coalesce(memory_working_set_bytes, 0)) / 1073741824e0
    * window_seconds / 3600e0 * gib_hour_usd AS memory_usd
FROM pod_windows
CROSS JOIN prices;
