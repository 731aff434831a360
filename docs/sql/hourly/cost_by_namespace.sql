-- What did each namespace cost on this day by the price list, from the hourly table? CPU and memory at max(request, use) of each
-- pod and hour, for the seconds that it was there. Needs the view prices.

SELECT
  coalesce(namespace, '(node)') AS namespace,
  sum(greatest(coalesce(requests_cpu_millicores, 0) / 1e3 * seconds, coalesce(cpu_seconds, 0))
    / 3600e0 * vcpu_hour_usd) AS cpu_usd,
  sum(greatest(coalesce(requests_memory_bytes, 0), coalesce(memory_working_set_bytes_avg, 0)) / 1073741824e0
    * seconds / 3600e0 * gib_hour_usd) AS memory_usd,
  sum((net_tx_bytes_cross_zone + net_rx_bytes_cross_zone) / 1e9 * cross_zone_gb_usd) AS cross_zone_usd,
  sum(net_tx_bytes_internet / 1e9 * internet_gb_usd) AS internet_usd
FROM pod_usage_hourly
CROSS JOIN prices
WHERE cluster_id = 'production' AND hour >= TIMESTAMP '2026-11-20 00:00:00' AND hour < TIMESTAMP '2026-11-21 00:00:00'
GROUP BY namespace
ORDER BY cpu_usd DESC;
