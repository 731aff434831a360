-- The tables in Trino, in a catalog `delta` of the connector delta_lake with delta.register-table-procedure.enabled=true.
-- Put your own place instead of s3://bucket/prefix. Columns, comments and partitions come from the log.

CREATE SCHEMA IF NOT EXISTS delta.podledger;

CALL delta.system.register_table(schema_name => 'podledger', table_name => 'pod_usage', table_location => 's3://bucket/prefix/pod_usage');
CALL delta.system.register_table(schema_name => 'podledger', table_name => 'pod_network', table_location => 's3://bucket/prefix/pod_network');
CALL delta.system.register_table(schema_name => 'podledger', table_name => 'node_usage', table_location => 's3://bucket/prefix/node_usage');
CALL delta.system.register_table(schema_name => 'podledger', table_name => 'events', table_location => 's3://bucket/prefix/events');
CALL delta.system.register_table(schema_name => 'podledger', table_name => 'reconcile', table_location => 's3://bucket/prefix/reconcile');
CALL delta.system.register_table(schema_name => 'podledger', table_name => 'pod_usage_hourly', table_location => 's3://bucket/prefix/pod_usage_hourly');

USE delta.podledger;
