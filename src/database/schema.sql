
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
  major_faults INTEGER, proportional_bytes INTEGER);
CREATE TABLE markers (time_ns INTEGER, thread_id INTEGER REFERENCES threads, text TEXT);
CREATE TABLE forks (number INTEGER PRIMARY KEY, time_ns INTEGER, last_event_id INTEGER);
CREATE TABLE usable_sizes (
  time_ns INTEGER, thread_id INTEGER REFERENCES threads, requested_bytes INTEGER,
  usable_bytes INTEGER);
CREATE TABLE mapping_events (
  id INTEGER PRIMARY KEY, time_ns INTEGER, thread_id INTEGER REFERENCES threads, kind TEXT,
  address INTEGER, bytes INTEGER, old_address INTEGER, old_bytes INTEGER,
  stack_id INTEGER REFERENCES stacks);
CREATE TABLE mappings (
  address INTEGER, bytes INTEGER, stack_id INTEGER REFERENCES stacks,
  begun_id INTEGER REFERENCES mapping_events, ended_id INTEGER REFERENCES mapping_events);
CREATE TABLE touches (
  time_ns INTEGER, thread_id INTEGER REFERENCES threads, address INTEGER,
  stack_id INTEGER REFERENCES stacks);

CREATE VIEW allocations AS
  SELECT id, time_ns, thread_id, kind, address, bytes, coalesce(weight_bytes, bytes) AS stands_for_bytes,
    stack_id
  FROM events WHERE kind NOT IN ('free', 'pool memory');
CREATE VIEW leaks AS
  SELECT * FROM allocations
  WHERE id NOT IN (SELECT ends_id FROM events WHERE ends_id IS NOT NULL);
CREATE VIEW peak_blocks AS
  WITH peak (id) AS (SELECT value FROM recording WHERE key = 'peak_event_id')
  SELECT allocations.* FROM allocations, peak
  WHERE allocations.id <= peak.id AND allocations.id NOT IN (
    SELECT ends_id FROM events, peak WHERE ends_id IS NOT NULL AND events.id <= peak.id);
CREATE VIEW small_usable_sizes AS
  SELECT (requested_bytes + 7) / 8 AS step,
    max(usable_bytes, (requested_bytes + 7) / 8 * 8) AS usable_bytes, min(rowid) AS first
  FROM usable_sizes WHERE requested_bytes <= 32768 GROUP BY step;
CREATE VIEW overheads AS
  SELECT allocations.id AS allocation_id, stack_id, bytes, usable_bytes
  FROM allocations JOIN small_usable_sizes ON step = (bytes + 7) / 8
  WHERE kind NOT IN ('pool', 'aligned');
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
