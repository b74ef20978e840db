CREATE TABLE longterm.shard (
    one  integer NOT NULL PRIMARY KEY CHECK (one = 1),
    note text NOT NULL
);

COMMENT ON TABLE longterm.shard IS
    'What this server knows of the others, if the runs are spread over several; no row: they are not';
