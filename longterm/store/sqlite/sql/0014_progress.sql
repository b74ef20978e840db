-- What long turns are at, for people who look. Only the note of a turn under way counts.
CREATE TABLE progress (
    run  TEXT NOT NULL PRIMARY KEY,
    turn INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER progress_of_deleted_run AFTER DELETE ON runs
BEGIN
    DELETE FROM progress WHERE run = OLD.id;
END;
