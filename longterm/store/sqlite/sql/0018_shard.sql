-- What this file knows of the others, if the runs are spread over several; no row: they are not.
CREATE TABLE shard (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    note TEXT NOT NULL
) STRICT;
