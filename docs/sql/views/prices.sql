-- The price list, in US dollars: put your own here. The numbers are those of an m6i.4xlarge on demand in eu-central-1, split
-- between CPU and memory 9 to 1 as AWS splits them, and of AWS's public list for traffic. A GB is 1e9 bytes.
-- Traffic across zones is billed in each direction, at each end: every pod pays for what it sends and for what it receives.

CREATE OR REPLACE VIEW prices AS
SELECT
  CAST(0.0398 AS double) AS vcpu_hour_usd,
  CAST(0.0044 AS double) AS gib_hour_usd,
  CAST(0.01 AS double) AS cross_zone_gb_usd,
  CAST(0.09 AS double) AS internet_gb_usd;
