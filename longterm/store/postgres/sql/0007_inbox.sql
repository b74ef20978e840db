-- The names of the events that a run was sent and has not read, each with a line end. They stand in
-- the run's own row: a claim or a save that has waited for the row's lock sees what was posted to it
-- before, which at READ COMMITTED it would not see in another table.
ALTER TABLE longterm.runs
    ADD COLUMN unread text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN posted bigint NOT NULL DEFAULT 0;

CREATE TABLE longterm.inbox (
    run      text COLLATE "C" NOT NULL,
    number   bigint NOT NULL,
    event    text COLLATE "C" NOT NULL,
    value    bytea NOT NULL,
    key      text COLLATE "C" NOT NULL,
    digest   text COLLATE "C" NOT NULL,
    sent_at  timestamptz NOT NULL,
    checksum bigint NOT NULL,
    PRIMARY KEY (run, number)
);

CREATE FUNCTION longterm.forget_inbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM longterm.inbox WHERE run = OLD.id;
    RETURN NULL;
END $$;

CREATE TRIGGER inbox_of_deleted_run AFTER DELETE ON longterm.runs
    FOR EACH ROW WHEN (OLD.posted > 0) EXECUTE FUNCTION longterm.forget_inbox();

-- The runs that can go on by an unread event, the longest unsaved first.
CREATE INDEX runs_unread ON longterm.runs (updated_at NULLS FIRST, id)
    WHERE unread <> '' AND state = 'suspended' AND error IS NULL
    AND string_to_array(unread, E'\n') && string_to_array(waiting_for, E'\n');

COMMENT ON TABLE longterm.inbox IS 'The events that runs were sent and have not read';
COMMENT ON COLUMN longterm.inbox.number IS 'Its place among all events that were sent to the run';
COMMENT ON COLUMN longterm.inbox.key IS 'That of its delivery, also in longterm.deliveries';
COMMENT ON COLUMN longterm.inbox.checksum IS 'Of all but the number';
COMMENT ON COLUMN longterm.runs.unread IS
    'The names of the events that it was sent and has not read, each with a line end';
COMMENT ON COLUMN longterm.runs.posted IS 'How many events it was ever sent';
