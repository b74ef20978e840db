-- Drawn at random by each claim: a backup that is put back may give a turn out twice, but no claim.
ALTER TABLE runs ADD COLUMN claim INTEGER;
