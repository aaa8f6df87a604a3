-- Tables in memory: filled, indexed and thinned out.
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT, note TEXT);
CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer INTEGER, amount REAL, what TEXT);

WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 60000)
INSERT INTO customer
SELECT n, 'customer ' || n * 7919 % 60000, 'city ' || n * 31 % 900, hex(zeroblob(n * 17 % 90)) FROM number;

WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 250000)
INSERT INTO purchase
SELECT n, n * 7907 % 60000, n * 104729 % 100000 / 100.0, 'thing ' || n * 13 % 5000 FROM number;

CREATE INDEX by_name ON customer (name);
CREATE INDEX by_customer ON purchase (customer);
CREATE INDEX by_what ON purchase (what, amount);
DELETE FROM purchase WHERE id % 3 = 0;
UPDATE customer SET note = note || name WHERE id % 5 = 0;
SELECT count(*), sum(amount), max(what) FROM purchase;
SELECT count(*), sum(length(note)) FROM customer;
