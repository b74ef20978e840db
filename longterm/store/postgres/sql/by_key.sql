-- What a schema has in place of triggers, where each step writes one row by its key, and what belongs
-- to a run stands with it. Executed after the migrations; does no harm to whom it has been done.
DO $$
DECLARE
    found record;
BEGIN
    IF EXISTS (SELECT FROM longterm.ended_runs) THEN
        RAISE EXCEPTION 'runs that have ended are kept by month (prune them first)';
    END IF;
    FOR found IN SELECT tgname, tgrelid::regclass AS owner FROM pg_trigger
        JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'longterm' AND NOT tgisinternal AND tgparentid = 0
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.owner);
    END LOOP;
END $$;

-- A message stands with its sender.
DO $$
BEGIN
    IF to_regclass(format('%I.slots', 'longterm')) IS NULL THEN
        ALTER TABLE longterm.outbox DROP CONSTRAINT outbox_pkey;
        ALTER TABLE longterm.outbox ADD CONSTRAINT outbox_pkey PRIMARY KEY (sender, id);
    END IF;
END $$;
CREATE INDEX IF NOT EXISTS outbox_by_id ON longterm.outbox (id);

-- A claim adds no row to the table of claims, so that it is a write of one row.
CREATE INDEX IF NOT EXISTS runs_running ON longterm.runs (claimed_until, id)
    WHERE state = 'running';
DELETE FROM longterm.claims;

CREATE INDEX IF NOT EXISTS facts_by_run ON longterm.facts (run);

-- Who was given a slot of a queue, and whose turn it is: all in one row, so that whoever gives out a
-- slot writes it under the condition that nobody else has. That there is this table tells everybody
-- that there are no triggers.
CREATE TABLE IF NOT EXISTS longterm.slots (
    queue          text COLLATE "C" NOT NULL PRIMARY KEY,
    version        bigint NOT NULL,
    held           text NOT NULL,
    next_partition text COLLATE "C" NOT NULL,
    served_at      timestamptz,
    window_began   timestamptz,
    window_taken   integer NOT NULL
);

COMMENT ON TABLE longterm.slots IS 'Which runs were given a slot of a queue, one row for each queue';
COMMENT ON COLUMN longterm.slots.version IS 'Drawn at random by each write';
COMMENT ON COLUMN longterm.slots.held IS
    'As JSON: run, turn before the claim, partition and moment; a run may have given it back since';
