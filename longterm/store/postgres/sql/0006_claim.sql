ALTER TABLE longterm.runs ADD COLUMN claim bigint;

COMMENT ON COLUMN longterm.runs.claim IS
    'Drawn at random by each claim: a failover may give a turn out twice, but no claim';
