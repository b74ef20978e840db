-- The turn whose save wrote stack, response, result and error; a seal on them names it.
ALTER TABLE runs ADD COLUMN saved_turn INTEGER;
