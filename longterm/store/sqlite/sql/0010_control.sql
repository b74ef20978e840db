-- A cancel, or an exception, in the inbox of a run is read whatever the run waits for. The names of
-- these events begin in a way that no other event's name may.
DROP INDEX runs_unread;
CREATE INDEX runs_unread ON runs (updated_at, id)
    WHERE unread <> '' AND state = 'suspended' AND (error IS NULL OR deadline IS NULL)
    AND (instr(waiting_for, char(10)) > 0
        OR instr(char(10) || unread, char(10) || waiting_for || char(10)) > 0
        OR instr(char(10) || unread, char(10) || 'longterm.') > 0);

-- An event whose turn has failed is put into the inbox of its run, which may have been sent nothing.
DROP TRIGGER inbox_of_deleted_run;
CREATE TRIGGER inbox_of_deleted_run AFTER DELETE ON runs WHEN OLD.unread <> ''
BEGIN
    DELETE FROM inbox WHERE run = OLD.id;
END;
