-- A cancel, or an exception, in the inbox of a run is read whatever the run waits for.
DROP INDEX longterm.runs_unread;
CREATE INDEX runs_unread ON longterm.runs (updated_at NULLS FIRST, id)
    WHERE unread <> '' AND state = 'suspended' AND (error IS NULL OR deadline IS NULL)
    AND string_to_array(unread, E'\n')
    && string_to_array(waiting_for || E'\n' || 'longterm.cancel' || E'\n' || 'longterm.throw', E'\n');

-- An event whose turn has failed is put into the inbox of its run, which may have been sent nothing.
DROP TRIGGER inbox_of_deleted_run ON longterm.runs;
CREATE TRIGGER inbox_of_deleted_run AFTER DELETE ON longterm.runs
    FOR EACH ROW WHEN (OLD.unread <> '') EXECUTE FUNCTION longterm.forget_inbox();
