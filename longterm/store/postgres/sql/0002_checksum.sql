ALTER TABLE longterm.runs ADD COLUMN checksum bigint;

COMMENT ON COLUMN longterm.runs.checksum IS
    'Of what the last save wrote; set it to NULL when you change a row by hand';
