CREATE TABLE longterm.history (
    run            text COLLATE "C" NOT NULL,
    turn           bigint NOT NULL,
    number         bigint NOT NULL,
    event          text COLLATE "C" NOT NULL,
    value          bytea,
    actor          text COLLATE "C",
    sent_at        timestamptz NOT NULL,
    saved_at       timestamptz NOT NULL,
    outcome        text COLLATE "C",
    waiting_for    text COLLATE "C",
    response       bytea,
    error          text COLLATE "C",
    revision       bigint NOT NULL,
    before         text COLLATE "C",
    checksum       bigint NOT NULL,
    stack_checksum bigint,
    stack          bytea,
    PRIMARY KEY (run, turn, number)
);

CREATE INDEX history_by_age ON longterm.history (saved_at);

CREATE FUNCTION longterm.forget_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM longterm.history WHERE run = OLD.id;
    RETURN NULL;
END $$;

CREATE TRIGGER history_of_deleted_run AFTER DELETE ON longterm.runs
    FOR EACH ROW EXECUTE FUNCTION longterm.forget_history();

-- Who sent an event; NULL: nobody has said.
ALTER TABLE longterm.inbox ADD COLUMN actor text COLLATE "C";

COMMENT ON TABLE longterm.history IS 'What came to runs, turn by turn, where that is to be kept';
COMMENT ON COLUMN longterm.history.number IS
    '0: what began the turn; then what it has read besides';
COMMENT ON COLUMN longterm.history.actor IS 'Who sent it; null: nobody has said';
COMMENT ON COLUMN longterm.history.outcome IS 'The state in which the run was saved';
COMMENT ON COLUMN longterm.history.revision IS 'At which the turn found the run';
COMMENT ON COLUMN longterm.history.before IS 'What the run was then, as JSON';
COMMENT ON COLUMN longterm.history.stack IS 'The encoded frames of before the turn';
COMMENT ON COLUMN longterm.inbox.actor IS 'Who sent it; null: nobody has said';
