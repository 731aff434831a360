-- How much CPU did each team use on this day, by a label of its pods? Another label: another word before the equals sign.

SELECT team, count(DISTINCT pod_id) AS pods, sum(cpu_seconds) / 3600e0 AS vcpu_hours
FROM (
  SELECT pod_id, cpu_seconds, substr(get(filter(labels, label -> label LIKE 'team=%'), 0), length('team=') + 1) AS team
  FROM pod_usage
  WHERE cluster = 'production' AND date = DATE '2026-11-20'
) AS labelled
GROUP BY team
ORDER BY vcpu_hours DESC;
