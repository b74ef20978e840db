-- Of what the last save wrote, looked at at each read; NULL in a row that an older longterm wrote, or
-- that somebody has changed by hand: such a row is taken as it is, until it is saved again.
ALTER TABLE runs ADD COLUMN checksum INTEGER;
