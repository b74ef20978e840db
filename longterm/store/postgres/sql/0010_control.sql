-- A cancel, or an exception, in the inbox of a run is read whatever the run waits for.
DROP INDEX longterm.runs_unread;
CREATE INDEX runs_unread ON longterm.runs (updated_at NULLS FIRST, id)
    WHERE unread <> '' AND state = 'suspended' AND error IS NULL
    AND string_to_array(unread, E'\n')
    && string_to_array(waiting_for || E'\nlongterm.cancel\nlongterm.throw', E'\n');
