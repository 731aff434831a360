-- pod_usage with the length of each window.

CREATE OR REPLACE VIEW pod_windows AS
SELECT pod_usage.*, date_diff('millisecond', window_start, window_end) / 1e3 AS window_seconds
FROM pod_usage;
