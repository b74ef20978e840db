-- The keys of the deliveries that runs have taken, each with a digest of what was delivered.
CREATE TABLE deliveries (
    run      TEXT NOT NULL,
    key      TEXT NOT NULL,
    digest   TEXT NOT NULL,  -- empty: not known
    taken_at TEXT NOT NULL,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER deliveries_of_deleted_run AFTER DELETE ON runs
BEGIN
    DELETE FROM deliveries WHERE run = OLD.id;
END;
