CREATE TABLE longterm.progress (
    run  text COLLATE "C" NOT NULL PRIMARY KEY,
    turn bigint NOT NULL,
    note text NOT NULL
);

CREATE FUNCTION longterm.forget_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM longterm.progress WHERE run = OLD.id;
    RETURN NULL;
END $$;

CREATE TRIGGER progress_of_deleted_run AFTER DELETE ON longterm.runs
    FOR EACH ROW EXECUTE FUNCTION longterm.forget_progress();

COMMENT ON TABLE longterm.progress IS 'What long turns are at; only the note of one under way counts';
