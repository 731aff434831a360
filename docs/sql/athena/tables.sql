-- The tables in Athena: engine version 3 reads Delta tables as they are, columns and partitions come from the log.
-- Put your own place instead of s3://bucket/prefix. Run each statement on its own; never run MSCK REPAIR or add partitions by hand,
-- and define no second table over the bare files: those hold rows that no log entry names.

CREATE DATABASE IF NOT EXISTS podledger;

CREATE EXTERNAL TABLE IF NOT EXISTS podledger.pod_usage
LOCATION 's3://bucket/prefix/pod_usage/'
TBLPROPERTIES ('table_type' = 'DELTA');

CREATE EXTERNAL TABLE IF NOT EXISTS podledger.pod_network
LOCATION 's3://bucket/prefix/pod_network/'
TBLPROPERTIES ('table_type' = 'DELTA');

CREATE EXTERNAL TABLE IF NOT EXISTS podledger.node_usage
LOCATION 's3://bucket/prefix/node_usage/'
TBLPROPERTIES ('table_type' = 'DELTA');

CREATE EXTERNAL TABLE IF NOT EXISTS podledger.events
LOCATION 's3://bucket/prefix/events/'
TBLPROPERTIES ('table_type' = 'DELTA');

CREATE EXTERNAL TABLE IF NOT EXISTS podledger.reconcile
LOCATION 's3://bucket/prefix/reconcile/'
TBLPROPERTIES ('table_type' = 'DELTA');

CREATE EXTERNAL TABLE IF NOT EXISTS podledger.pod_usage_hourly
LOCATION 's3://bucket/prefix/pod_usage_hourly/'
TBLPROPERTIES ('table_type' = 'DELTA');
