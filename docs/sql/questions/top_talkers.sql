-- Which pods moved the most on this day, for each class of the other end: the first five of each. Loopback leaves no node and is left out.

WITH moved AS (
  SELECT class, namespace, pod_name, pod_id, sum(tx_bytes_delta) AS tx_bytes, sum(rx_bytes_delta) AS rx_bytes
  FROM pod_network
  WHERE cluster = 'production' AND date = DATE '2026-11-20' AND class <> 'loopback'
  GROUP BY class, namespace, pod_name, pod_id
),
placed AS (
  SELECT moved.*, row_number() OVER (PARTITION BY class ORDER BY tx_bytes + rx_bytes DESC, pod_id) AS place
  FROM moved
)
SELECT class, place, namespace, coalesce(pod_name, pod_id) AS pod, tx_bytes, rx_bytes
FROM placed
WHERE place <= 5
ORDER BY class, place;
