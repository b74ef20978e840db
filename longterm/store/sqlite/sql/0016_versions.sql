-- The source of each version of a flow that runs wait in, for people and tools to look at; nothing executes it.
CREATE TABLE versions (
    version TEXT NOT NULL PRIMARY KEY,
    source  BLOB NOT NULL
) STRICT;
