-- Experiment 9.2: a table gets an index and loses half of its rows.
CREATE TABLE rows(id INTEGER PRIMARY KEY, name TEXT, notes TEXT);
WITH RECURSIVE numbers(i) AS
  (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < 5000)
  INSERT INTO rows
  SELECT i, 'row ' || i, substr(hex(zeroblob(200)), 1, i % 400)
  FROM numbers;
CREATE INDEX by_name ON rows(name);
DELETE FROM rows WHERE id % 2 = 0;
-- A place to look, as look.h has it.
.shell [ -z "$LAB_WAIT" ] || { echo "-- look: half deleted"; read _; }
SELECT count(*), sum(length(notes)), max(name) FROM rows;
