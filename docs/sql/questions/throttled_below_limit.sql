-- Who was throttled while using less than the limit? Means over the window say that all is well; the bursts of some
-- milliseconds within it were cut off all the same. Windows whose mean was below half of the limit.

SELECT
  namespace,
  workload,
  count(*) AS windows,
  sum(cpu_throttled_seconds) AS throttled_seconds,
  sum(cpu_throttled_periods) AS throttled_periods,
  avg(cpu_usage_cores) AS mean_cores,
  max(cpu_peak_cores) AS highest_peak_cores,
  max(limits_cpu_millicores) / 1e3 AS limit_cores
FROM pod_usage
WHERE cluster = 'production' AND date = DATE '2026-11-20'
  AND cpu_throttled_seconds > 0
  AND cpu_usage_cores < limits_cpu_millicores / 2e3
GROUP BY namespace, workload
ORDER BY throttled_seconds DESC, namespace, workload;
