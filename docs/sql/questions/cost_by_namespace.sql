-- What did each namespace cost on this day, traffic included? Services of the nodes have no namespace and stand in a row of
-- their own. Needs the views prices, pod_windows and pod_cost.

WITH compute AS (
  SELECT namespace, sum(cpu_usd) AS cpu_usd, sum(memory_usd) AS memory_usd,
         sum(cpu_seconds) / 3600e0 AS used_vcpu_hours, sum(billed_cpu_seconds) / 3600e0 AS billed_vcpu_hours
  FROM pod_cost
  WHERE cluster = 'production' AND date = DATE '2026-11-20'
  GROUP BY namespace
),
traffic AS (
  SELECT namespace,
         sum(CASE WHEN class = 'cross_zone' THEN tx_bytes_delta + rx_bytes_delta ELSE 0 END) / 1e9 AS cross_zone_gb,
         sum(CASE WHEN class = 'internet' THEN tx_bytes_delta ELSE 0 END) / 1e9 AS internet_gb
  FROM pod_network
  WHERE cluster = 'production' AND date = DATE '2026-11-20'
  GROUP BY namespace
)
SELECT
  coalesce(compute.namespace, '(node)') AS namespace,
  used_vcpu_hours,
  billed_vcpu_hours,
  cpu_usd,
  memory_usd,
  coalesce(cross_zone_gb, 0) * cross_zone_gb_usd AS cross_zone_usd,
  coalesce(internet_gb, 0) * internet_gb_usd AS internet_usd,
  cpu_usd + memory_usd + coalesce(cross_zone_gb, 0) * cross_zone_gb_usd
    + coalesce(internet_gb, 0) * internet_gb_usd AS total_usd
FROM compute
LEFT JOIN traffic ON coalesce(traffic.namespace, '') = coalesce(compute.namespace, '')
CROSS JOIN prices
ORDER BY total_usd DESC;
