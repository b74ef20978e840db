-- The queue in which a suspended run waits for a slot, or whose slot a running one holds.
ALTER TABLE runs ADD COLUMN queue TEXT;
-- Whose share of the queue it takes; empty if nobody's.
ALTER TABLE runs ADD COLUMN partition TEXT;
-- Since when it waits for a slot; its deadline is NULL then. One that waits for its deadline first
-- has that, and none here.
ALTER TABLE runs ADD COLUMN queued_at TEXT;

-- What is in no queue is in none of these. A partition is one stretch of the first: whoever looks for
-- the next one with anything in it finds it at once, however many runs each has.
CREATE INDEX runs_queued ON runs (queue, partition, queued_at)
    WHERE state = 'suspended' AND queued_at IS NOT NULL;
CREATE INDEX runs_in_slots ON runs (queue, partition) WHERE state = 'running' AND queue IS NOT NULL;
CREATE INDEX runs_delayed ON runs (deadline)
    WHERE state = 'suspended' AND deadline IS NOT NULL AND queue IS NOT NULL;

CREATE TABLE queues (
    name           TEXT NOT NULL PRIMARY KEY,
    concurrency    INTEGER,           -- how many runs may hold a slot; NULL: any number
    per_partition  INTEGER,           -- how many of one partition may
    rate           INTEGER,           -- how many may begin in `rate_seconds`
    rate_seconds   REAL,
    next_partition TEXT NOT NULL DEFAULT '',  -- where the turns of the partitions begin
    served_at      TEXT,                      -- when a run was taken from it last
    window_began   TEXT,                      -- when the time of its rate began
    window_taken   INTEGER NOT NULL DEFAULT 0
) STRICT;
