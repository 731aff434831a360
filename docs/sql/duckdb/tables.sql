-- The tables in DuckDB: views that read each table's log. Needs the extensions delta and, for S3, httpfs.
-- Put your own place instead of s3://bucket/prefix; `SET TimeZone = 'UTC'` makes hours and days those of the tables.

INSTALL delta;
LOAD delta;
SET TimeZone = 'UTC';

CREATE OR REPLACE VIEW pod_usage AS SELECT * FROM delta_scan('s3://bucket/prefix/pod_usage');
CREATE OR REPLACE VIEW pod_network AS SELECT * FROM delta_scan('s3://bucket/prefix/pod_network');
CREATE OR REPLACE VIEW node_usage AS SELECT * FROM delta_scan('s3://bucket/prefix/node_usage');
CREATE OR REPLACE VIEW events AS SELECT * FROM delta_scan('s3://bucket/prefix/events');
CREATE OR REPLACE VIEW reconcile AS SELECT * FROM delta_scan('s3://bucket/prefix/reconcile');
CREATE OR REPLACE VIEW pod_usage_hourly AS SELECT * FROM delta_scan('s3://bucket/prefix/pod_usage_hourly');

-- The same with the length of each window.
CREATE OR REPLACE VIEW pod_windows AS
SELECT pod_usage.*, date_diff('microsecond', window_start, window_end) / 1e6 AS window_seconds
FROM pod_usage;
