ALTER TABLE longterm.inbox ADD COLUMN traceparent text;
ALTER TABLE longterm.outbox ADD COLUMN traceparent text;

COMMENT ON COLUMN longterm.inbox.traceparent IS 'Where the sender stood in a trace; NULL: in none';
COMMENT ON COLUMN longterm.outbox.traceparent IS 'Where the sender stood in a trace; NULL: in none';
