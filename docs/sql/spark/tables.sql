-- The tables in Spark with delta-spark. Put your own place instead of s3a://bucket/prefix.
-- Columns, comments and partitions come from the log. Never VACUUM these tables with less than seven days of retention.

CREATE DATABASE IF NOT EXISTS podledger;
USE podledger;

CREATE TABLE IF NOT EXISTS pod_usage USING DELTA LOCATION 's3a://bucket/prefix/pod_usage';
CREATE TABLE IF NOT EXISTS pod_network USING DELTA LOCATION 's3a://bucket/prefix/pod_network';
CREATE TABLE IF NOT EXISTS node_usage USING DELTA LOCATION 's3a://bucket/prefix/node_usage';
CREATE TABLE IF NOT EXISTS events USING DELTA LOCATION 's3a://bucket/prefix/events';
CREATE TABLE IF NOT EXISTS reconcile USING DELTA LOCATION 's3a://bucket/prefix/reconcile';
CREATE TABLE IF NOT EXISTS pod_usage_hourly USING DELTA LOCATION 's3a://bucket/prefix/pod_usage_hourly';
