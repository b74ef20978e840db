CREATE TABLE runs (
    id            TEXT NOT NULL PRIMARY KEY,
    turn          INTEGER NOT NULL,  -- turns begun so far; only the newest claim can save
    flow          TEXT NOT NULL,     -- the flow it executes, as module:qualname
    state         TEXT NOT NULL,     -- suspended, running, complete, failed or cancelled
    waiting_for   TEXT,              -- the event that a suspended run needs
    deadline      TEXT,              -- when its wait ends by itself
    claimed_until TEXT,              -- until when the claim of a running run holds
    attempts      INTEGER NOT NULL,  -- turns in a row that died with their process
    delivery      TEXT,              -- the key of the delivery that began the last turn
    stack         BLOB,              -- the encoded frames of before the current turn
    response      BLOB,              -- what the last turn said, encoded
    result        BLOB,              -- what the flow returned, encoded
    error         TEXT,              -- why a failed run failed
    facts         TEXT NOT NULL,     -- the facts by which it can be found, as JSON
    created_at    TEXT,              -- moments are UTC, like 2026-11-24T08:30:00.000000Z
    updated_at    TEXT               -- when its last turn was saved
) STRICT;
