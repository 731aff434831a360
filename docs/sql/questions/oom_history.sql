-- Who was killed for want of memory, when, how large was it, and did the container end of it? One row for each incident; a
-- group kill takes several processes at once. `restarted` counts the restarts that the kubelet told of the same pod on the same day.

WITH kills AS (
  SELECT
    namespace, pod_name, pod_id, container, incident,
    min(timestamp) AS happened_at,
    count(*) AS processes,
    max(peak_rss_bytes) AS largest_rss_bytes
  FROM events
  WHERE cluster = 'production' AND date = DATE '2026-11-20' AND kind = 'oom_kill' AND outcome = 'killed'
  GROUP BY namespace, pod_name, pod_id, container, incident
),
restarts AS (
  SELECT pod_id, count(*) AS restarted
  FROM events
  WHERE cluster = 'production' AND date = DATE '2026-11-20' AND kind = 'restart' AND reason = 'OOMKilled'
  GROUP BY pod_id
),
limits AS (
  SELECT pod_id, max(limits_memory_bytes) AS limit_bytes
  FROM pod_usage
  WHERE cluster = 'production' AND date = DATE '2026-11-20' AND oom_kills > 0
  GROUP BY pod_id
)
SELECT kills.*, limit_bytes, coalesce(restarted, 0) AS restarted
FROM kills
LEFT JOIN restarts ON restarts.pod_id = kills.pod_id
LEFT JOIN limits ON limits.pod_id = kills.pod_id
ORDER BY happened_at, kills.pod_id;
