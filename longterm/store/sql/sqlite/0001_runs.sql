CREATE TABLE runs (
    id          TEXT NOT NULL PRIMARY KEY,
    flow        TEXT NOT NULL,     -- the flow it executes, as module:qualname
    state       TEXT NOT NULL,     -- suspended, running, complete, failed or cancelled
    turn        INTEGER NOT NULL,  -- turns begun so far; only the newest claim can save
    waiting_for TEXT,              -- the event that a suspended run needs
    stack       BLOB,              -- the encoded frames of before the current turn
    response    BLOB,              -- what the last turn said, encoded
    result      BLOB,              -- what the flow returned, encoded
    error       TEXT,              -- why a failed run failed
    created_at  TEXT NOT NULL,     -- UTC, like 2026-11-24T08:30:00.000000Z
    updated_at  TEXT NOT NULL      -- when the last turn was claimed or saved
) STRICT;
