
-- A recording as tables; docs/exports.md describes them. What is unknown is NULL. References are not
-- enforced: a damaged recording may refer to what it does not have.
CREATE TABLE recording (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE modules (id INTEGER PRIMARY KEY, path TEXT, build_id TEXT, load_bias INTEGER);
CREATE TABLE threads (id INTEGER PRIMARY KEY, tid INTEGER, name TEXT);
CREATE TABLE frames (id INTEGER PRIMARY KEY, module_id INTEGER REFERENCES modules, address INTEGER);
CREATE TABLE lines (
  frame_id INTEGER REFERENCES frames, depth INTEGER, function TEXT, file TEXT, line INTEGER,
  inlined INTEGER, PRIMARY KEY (frame_id, depth)) WITHOUT ROWID;
CREATE TABLE stacks (
  id INTEGER PRIMARY KEY, caller_id INTEGER REFERENCES stacks, frame_id INTEGER REFERENCES frames);
CREATE TABLE events (
  id INTEGER PRIMARY KEY, time_ns INTEGER, thread_id INTEGER REFERENCES threads, kind TEXT,
  address INTEGER, bytes INTEGER, weight_bytes INTEGER, stack_id INTEGER REFERENCES stacks,
  ends_id INTEGER REFERENCES events);
CREATE TABLE samples (
  time_ns INTEGER, resident_bytes INTEGER, peak_resident_bytes INTEGER,
  agent_resident_bytes INTEGER, break_bytes INTEGER, mapped_bytes INTEGER, minor_faults INTEGER,
  major_faults INTEGER);
CREATE TABLE markers (time_ns INTEGER, thread_id INTEGER REFERENCES threads, text TEXT);

CREATE VIEW allocations AS
  SELECT id, time_ns, thread_id, kind, address, bytes, coalesce(weight_bytes, bytes) AS stands_for_bytes,
    stack_id
  FROM events WHERE kind <> 'free';
CREATE VIEW leaks AS
  SELECT * FROM allocations
  WHERE id NOT IN (SELECT ends_id FROM events WHERE ends_id IS NOT NULL);
CREATE VIEW stack_frames AS
  WITH RECURSIVE walk (stack_id, depth, node_id) AS (
    SELECT id, 0, id FROM stacks
    UNION ALL
    SELECT walk.stack_id, walk.depth + 1, stacks.caller_id
    FROM walk JOIN stacks ON stacks.id = walk.node_id WHERE stacks.caller_id IS NOT NULL)
  SELECT walk.stack_id, walk.depth, coalesce(lines.depth, 0) AS inline_depth, stacks.frame_id,
    lines.function, lines.file, lines.line, modules.path AS module, frames.address
  FROM walk
    JOIN stacks ON stacks.id = walk.node_id
    LEFT JOIN frames ON frames.id = stacks.frame_id
    LEFT JOIN modules ON modules.id = frames.module_id
    LEFT JOIN lines ON lines.frame_id = frames.id;
