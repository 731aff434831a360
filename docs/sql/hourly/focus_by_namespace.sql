-- What did each namespace cost by the bill (FOCUS 1.0 and later)? What was paid for each instance and hour is divided among the pods that were
-- there, by what each of them held: CPU and memory at max(request, use), weighted 9 to 1 as AWS splits them. What the instance had
-- beyond that is idle and paid by all of them in proportion.
-- The export must have hourly
-- charge periods and resource ids.

WITH held AS (
  SELECT
    ec2_instance_id, hour, coalesce(namespace, '(node)') AS namespace,
    sum(9 * greatest(coalesce(requests_cpu_millicores, 0) / 1e3 * seconds, coalesce(cpu_seconds, 0))
      + greatest(coalesce(requests_memory_bytes, 0), coalesce(memory_working_set_bytes_avg, 0)) / 1073741824e0
        * seconds) AS weight
  FROM pod_usage_hourly
  WHERE cluster_id = 'production' AND hour >= TIMESTAMP '2026-11-20 00:00:00' AND hour < TIMESTAMP '2026-11-21 00:00:00'
  GROUP BY ec2_instance_id, hour, coalesce(namespace, '(node)')
),
shared AS (
  SELECT held.*, weight / sum(weight) OVER (PARTITION BY ec2_instance_id, hour) AS part
  FROM held
),
paid AS (
  SELECT ResourceId AS instance_id, ChargePeriodStart AS hour, sum(EffectiveCost) AS usd
  FROM focus
  WHERE ChargeCategory = 'Usage' AND ResourceId LIKE 'i-%'
  GROUP BY ResourceId, ChargePeriodStart
)
SELECT namespace, sum(part * usd) AS usd, count(DISTINCT ec2_instance_id) AS instances
FROM shared
JOIN paid ON paid.instance_id = shared.ec2_instance_id AND paid.hour = shared.hour
GROUP BY namespace
ORDER BY usd DESC;
