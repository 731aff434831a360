-- What each pod moved in each window, its classes side by side: one row for each row of pod_usage that has traffic.

CREATE OR REPLACE VIEW pod_traffic AS
SELECT
  cluster, date, node_name, epoch, seq, pod_id, window_end, namespace, pod_name,
  sum(CASE WHEN class = 'internet' THEN tx_bytes_delta ELSE 0 END) AS tx_bytes_internet,
  sum(CASE WHEN class = 'internet' THEN rx_bytes_delta ELSE 0 END) AS rx_bytes_internet,
  sum(CASE WHEN class = 'cross_zone' THEN tx_bytes_delta ELSE 0 END) AS tx_bytes_cross_zone,
  sum(CASE WHEN class = 'cross_zone' THEN rx_bytes_delta ELSE 0 END) AS rx_bytes_cross_zone,
  sum(tx_bytes_delta) AS tx_bytes,
  sum(rx_bytes_delta) AS rx_bytes
FROM pod_network
GROUP BY cluster, date, node_name, epoch, seq, pod_id, window_end, namespace, pod_name;
