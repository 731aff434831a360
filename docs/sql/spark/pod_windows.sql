-- pod_usage with the length of each window.

CREATE OR REPLACE VIEW pod_windows AS
SELECT pod_usage.*, (unix_micros(window_end) - unix_micros(window_start)) / 1e6 AS window_seconds
FROM pod_usage;
