-- What came to runs, turn by turn, where an engine is told to keep it.
CREATE TABLE history (
    run            TEXT NOT NULL,
    turn           INTEGER NOT NULL,
    number         INTEGER NOT NULL,  -- 0: what began the turn; then what it has read besides
    event          TEXT NOT NULL,
    value          BLOB,              -- encoded
    actor          TEXT,              -- who sent it
    sent_at        TEXT NOT NULL,
    saved_at       TEXT NOT NULL,
    outcome        TEXT,              -- the state in which the run was saved
    waiting_for    TEXT,              -- what it waited for then
    response       BLOB,              -- what the turn said, encoded
    error          TEXT,              -- why it failed
    revision       INTEGER NOT NULL,  -- at which the turn found the run
    before         TEXT,              -- what the run was then, as JSON
    checksum       INTEGER NOT NULL,  -- of all of these
    stack_checksum INTEGER,
    stack          BLOB,              -- the encoded frames of before the turn
    PRIMARY KEY (run, turn, number)
) STRICT;

CREATE INDEX history_by_age ON history (saved_at);

CREATE TRIGGER history_of_deleted_run AFTER DELETE ON runs
BEGIN
    DELETE FROM history WHERE run = OLD.id;
END;

-- Who sent an event; NULL: nobody has said.
ALTER TABLE inbox ADD COLUMN actor TEXT;
