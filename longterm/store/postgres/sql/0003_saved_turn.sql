ALTER TABLE longterm.runs ADD COLUMN saved_turn bigint;

COMMENT ON COLUMN longterm.runs.saved_turn IS
    'The turn whose save wrote stack, response, result and error; a seal on them names it';
