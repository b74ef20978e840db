ALTER TABLE longterm.runs ADD COLUMN position text COLLATE "C";

COMMENT ON COLUMN longterm.runs.position IS
    'Where it waits: flow@version:point of each frame, the outermost first, with > between';
