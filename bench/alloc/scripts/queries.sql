-- Questions over tables in memory: groups, sorts, joins and text, each with results of its own to hold.
PRAGMA temp_store = MEMORY;
CREATE TABLE event (id INTEGER PRIMARY KEY, who INTEGER, kind TEXT, at INTEGER, payload TEXT);

WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 300000)
INSERT INTO event
SELECT n, n * 7919 % 8000, 'kind ' || n * 31 % 40, n * 104729 % 1000003,
       '{"id":' || n || ',"tags":["a' || n % 13 || '","b' || n % 7 || '"],"size":' || n * 17 % 1000 || '}'
FROM number;

SELECT kind, count(*), count(DISTINCT who), avg(at) FROM event GROUP BY kind ORDER BY 2 DESC, 1 LIMIT 5;
SELECT json_extract(payload, '$.tags[0]'), sum(json_extract(payload, '$.size'))
FROM event GROUP BY 1 ORDER BY 1;
SELECT who, length(group_concat(payload)) FROM event GROUP BY who ORDER BY 2 DESC, 1 LIMIT 5;
CREATE INDEX by_who ON event (who, at);
SELECT a.kind, count(*) FROM event a JOIN event b ON b.who = a.who AND b.at > a.at AND b.at < a.at + 20000
GROUP BY a.kind ORDER BY 2 DESC, 1 LIMIT 5;
SELECT count(*) FROM (SELECT payload FROM event ORDER BY payload DESC);
SELECT sum(length(replace(upper(payload), 'TAGS', kind))) FROM event;
