-- The option to keep by month what has ended: workers move such runs (0020_by_month.sql).
-- A run that is moved keeps what belongs to it, except for its facts, which move too.
DROP TRIGGER IF EXISTS deliveries_of_deleted_run ON longterm.runs;
CREATE TRIGGER deliveries_of_deleted_run AFTER DELETE ON longterm.runs FOR EACH ROW
    WHEN (current_setting('ended_runs.moves', true) IS DISTINCT FROM 'yes')
    EXECUTE FUNCTION longterm.forget_deliveries();
DROP TRIGGER IF EXISTS inbox_of_deleted_run ON longterm.runs;
CREATE TRIGGER inbox_of_deleted_run AFTER DELETE ON longterm.runs FOR EACH ROW
    WHEN (current_setting('ended_runs.moves', true) IS DISTINCT FROM 'yes')
    EXECUTE FUNCTION longterm.forget_inbox();
DROP TRIGGER IF EXISTS progress_of_deleted_run ON longterm.runs;
CREATE TRIGGER progress_of_deleted_run AFTER DELETE ON longterm.runs FOR EACH ROW
    WHEN (current_setting('ended_runs.moves', true) IS DISTINCT FROM 'yes')
    EXECUTE FUNCTION longterm.forget_progress();
DROP TRIGGER IF EXISTS history_of_deleted_run ON longterm.runs;
CREATE TRIGGER history_of_deleted_run AFTER DELETE ON longterm.runs FOR EACH ROW
    WHEN (current_setting('ended_runs.moves', true) IS DISTINCT FROM 'yes')
    EXECUTE FUNCTION longterm.forget_history();

-- An id is taken once, in whichever table its run is. A start that came while the run was being moved
-- has waited for that, and has found the id free. But its own statement still sees the row that was
-- moved, as a function that is STABLE does; then the start is tried again, as after any such race.
CREATE OR REPLACE FUNCTION longterm.refuse_ended_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM longterm.ended_runs WHERE id = NEW.id) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION longterm.refuse_moved_id() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF EXISTS (SELECT FROM longterm.runs WHERE id = NEW.id) THEN
        RAISE unique_violation USING MESSAGE = 'the run of this id was moved in this moment';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS id_of_moved_run ON longterm.runs;
CREATE TRIGGER id_of_moved_run AFTER INSERT ON longterm.runs
    FOR EACH ROW EXECUTE FUNCTION longterm.refuse_moved_id();
DROP TRIGGER IF EXISTS id_of_ended_run ON longterm.runs;
CREATE TRIGGER id_of_ended_run BEFORE INSERT ON longterm.runs
    FOR EACH ROW EXECUTE FUNCTION longterm.refuse_ended_id();
