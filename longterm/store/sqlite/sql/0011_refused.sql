-- Why an event was refused by the turn that read it: it is unread no more, and kept as long as its key.
ALTER TABLE inbox ADD COLUMN refused TEXT;
CREATE INDEX inbox_refused ON inbox (sent_at) WHERE refused IS NOT NULL;

-- A run whose events were all refused has nothing unread.
DROP TRIGGER inbox_of_deleted_run;
CREATE TRIGGER inbox_of_deleted_run AFTER DELETE ON runs
BEGIN
    DELETE FROM inbox WHERE run = OLD.id;
END;
