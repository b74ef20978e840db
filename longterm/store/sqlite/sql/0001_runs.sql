CREATE TABLE runs (
    id            TEXT NOT NULL PRIMARY KEY,
    flow          TEXT NOT NULL,     -- the flow it executes, as module:qualname
    turn          INTEGER NOT NULL,  -- turns begun so far; only the newest claim can save
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
    facts         TEXT NOT NULL,     -- the facts by which it can be found, like ["patient=4711"]
    created_at    TEXT,              -- moments are UTC, like 2026-11-24T08:30:00.000000Z
    updated_at    TEXT               -- when its last turn was saved
) STRICT;

-- An index is written by each statement that sets one of its columns, or of its condition, even to
-- the same value. So none of the large ones has a column that a turn sets if the run then waits for
-- the same event again; the others are about the few runs that are due, running or ended.
CREATE INDEX runs_due ON runs (deadline, id) WHERE state = 'suspended' AND deadline IS NOT NULL;
CREATE INDEX runs_running ON runs (id, claimed_until) WHERE state = 'running';
CREATE INDEX runs_ended ON runs (updated_at) WHERE state NOT IN ('suspended', 'running');

-- What people look for, in the order of ids, so that a page of many is found as fast as a few.
CREATE INDEX runs_waiting ON runs (id) WHERE waiting_for IS NOT NULL;
CREATE INDEX runs_by_event ON runs (waiting_for, id) WHERE waiting_for IS NOT NULL;
CREATE INDEX runs_by_flow ON runs (flow, id);
CREATE INDEX runs_by_end ON runs (state, id, updated_at) WHERE state NOT IN ('suspended', 'running');

-- The facts of all runs. The triggers keep them, so that a save is still one statement.
CREATE TABLE facts (
    fact TEXT NOT NULL,  -- like patient=4711 or ward="B": the name, and the value as JSON
    run  TEXT NOT NULL,
    PRIMARY KEY (fact, run)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER facts_of_created_run AFTER INSERT ON runs WHEN NEW.facts <> '[]'
BEGIN
    INSERT INTO facts SELECT value, NEW.id FROM json_each(NEW.facts);
END;

CREATE TRIGGER facts_of_saved_run AFTER UPDATE OF facts ON runs WHEN NEW.facts <> OLD.facts
BEGIN
    DELETE FROM facts WHERE run = OLD.id AND fact IN (SELECT value FROM json_each(OLD.facts));
    INSERT INTO facts SELECT value, NEW.id FROM json_each(NEW.facts);
END;

CREATE TRIGGER facts_of_deleted_run AFTER DELETE ON runs WHEN OLD.facts <> '[]'
BEGIN
    DELETE FROM facts WHERE run = OLD.id AND fact IN (SELECT value FROM json_each(OLD.facts));
END;
