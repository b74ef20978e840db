-- The runs that wait for several events, whose names are the lines of waiting_for.
CREATE INDEX runs_by_events ON longterm.runs USING gin (string_to_array(waiting_for, E'\n'))
    WHERE strpos(waiting_for, E'\n') > 0 AND state <> 'running';

COMMENT ON COLUMN longterm.runs.waiting_for IS
    'The event that a suspended run needs; of several, a name a line';
