-- Do the rows of each node add up to what its kernel counted? `lost_*` is what was counted and is in no row: what no account
-- took, and what stayed in flight from the first window of the day to its last. `apart_*` compares the rows themselves with
-- what the ledger says of them; it is 0, but for the rounding of CPU seconds.

WITH told AS (
  SELECT
    node_name,
    count(*) AS windows,
    sum(cpu_ns_total) / 1e9 AS cpu_seconds_total,
    sum(cpu_ns_rows) / 1e9 AS cpu_seconds_rows,
    sum(cpu_ns_total - cpu_ns_rows) / 1e9 AS lost_cpu_seconds,
    sum(net_tx_bytes_total) AS tx_bytes_total,
    sum(net_tx_bytes_rows) AS tx_bytes_rows,
    sum(net_tx_bytes_total - net_tx_bytes_rows) AS lost_tx_bytes,
    sum(net_rx_bytes_total - net_rx_bytes_rows) AS lost_rx_bytes,
    sum(CASE WHEN batch_kind = 'gap' THEN 1 ELSE 0 END) AS gaps
  FROM reconcile
  WHERE cluster = 'production' AND date = DATE '2026-11-20'
  GROUP BY node_name
),
counted AS (
  SELECT node_name, sum(cpu_seconds) AS cpu_seconds, sum(net_tx_bytes_delta) AS tx_bytes
  FROM pod_usage
  WHERE cluster = 'production' AND date = DATE '2026-11-20' AND pod_id <> 'unattributed'
  GROUP BY node_name
)
SELECT
  told.node_name,
  windows,
  gaps,
  cpu_seconds_total,
  lost_cpu_seconds,
  cpu_seconds_rows - cpu_seconds AS apart_cpu_seconds,
  tx_bytes_total,
  lost_tx_bytes,
  lost_rx_bytes,
  tx_bytes_rows - tx_bytes AS apart_tx_bytes
FROM told
LEFT JOIN counted ON counted.node_name = told.node_name
ORDER BY told.node_name;
