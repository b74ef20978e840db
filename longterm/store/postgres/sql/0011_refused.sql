ALTER TABLE longterm.inbox ADD COLUMN refused text;
CREATE INDEX inbox_refused ON longterm.inbox (sent_at) WHERE refused IS NOT NULL;

COMMENT ON COLUMN longterm.inbox.refused IS
    'Why the turn that read it has refused it; it is unread no more, and kept as long as its key';
COMMENT ON TABLE longterm.inbox IS 'The events that runs were sent and have not read, or have refused';

-- A run whose events were all refused has nothing unread.
DROP TRIGGER inbox_of_deleted_run ON longterm.runs;
CREATE TRIGGER inbox_of_deleted_run AFTER DELETE ON longterm.runs
    FOR EACH ROW EXECUTE FUNCTION longterm.forget_inbox();
