-- The names of the events that a run was sent and has not read, each with a line end. They stand in
-- the run's own row, so that each claim and save sees what was posted before it.
ALTER TABLE runs ADD COLUMN unread TEXT NOT NULL DEFAULT '';
-- How many events it was ever sent.
ALTER TABLE runs ADD COLUMN posted INTEGER NOT NULL DEFAULT 0;

CREATE TABLE inbox (
    run      TEXT NOT NULL,
    number   INTEGER NOT NULL,  -- its place among all events that were sent to the run
    event    TEXT NOT NULL,     -- its name
    value    BLOB NOT NULL,     -- encoded
    key      TEXT NOT NULL,     -- that of its delivery, also in `deliveries`
    digest   TEXT NOT NULL,
    sent_at  TEXT NOT NULL,
    checksum INTEGER NOT NULL,  -- of all but the number
    PRIMARY KEY (run, number)
) STRICT;

CREATE TRIGGER inbox_of_deleted_run AFTER DELETE ON runs WHEN OLD.posted > 0
BEGIN
    DELETE FROM inbox WHERE run = OLD.id;
END;

-- The runs that can go on by an unread event, the longest unsaved first. Of those that wait for
-- several events it has all that have anything unread.
CREATE INDEX runs_unread ON runs (updated_at, id)
    WHERE unread <> '' AND state = 'suspended' AND error IS NULL
    AND (instr(waiting_for, char(10)) > 0
        OR instr(char(10) || unread, char(10) || waiting_for || char(10)) > 0);
