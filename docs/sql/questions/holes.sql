-- Is any batch missing, or there twice? No row is the right answer: every batch of every start of every agent is there once.

SELECT node_name, epoch, max(seq) - count(DISTINCT seq) AS holes, count(*) - count(DISTINCT seq) AS twice
FROM reconcile
GROUP BY node_name, epoch
HAVING max(seq) <> count(DISTINCT seq) OR count(*) <> count(DISTINCT seq)
ORDER BY node_name, epoch;
