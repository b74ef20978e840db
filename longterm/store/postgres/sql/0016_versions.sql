CREATE TABLE longterm.versions (
    version text COLLATE "C" NOT NULL PRIMARY KEY,
    source  bytea NOT NULL
);

COMMENT ON TABLE longterm.versions IS
    'The source of each version of a flow that runs wait in, to be looked at; nothing executes it';
