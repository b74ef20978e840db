-- Text that is looked for compares by code point, whatever the collation of the database.
-- Facts are text, not jsonb: jsonb turns some floats into whole numbers, and takes 1 for 1.0.
CREATE TABLE longterm.runs (
    id            text COLLATE "C" NOT NULL PRIMARY KEY,
    turn          bigint NOT NULL,
    flow          text COLLATE "C" NOT NULL,
    state         text COLLATE "C" NOT NULL,
    waiting_for   text COLLATE "C",
    deadline      timestamptz,
    claimed_until timestamptz,
    attempts      integer NOT NULL,
    delivery      text COLLATE "C",
    stack         bytea,
    response      bytea,
    result        bytea,
    error         text,
    facts         text[] COLLATE "C" NOT NULL,
    created_at    timestamptz,
    updated_at    timestamptz
) WITH (fillfactor = 80);

-- What people look for, in the order of ids, so that a page of many is found as fast as a few. A
-- statement that changes a state writes every index whose condition then holds, and a turn has two
-- of these. So these are all the large indexes, and a run that is running is in none of them.
CREATE INDEX runs_by_event ON longterm.runs (waiting_for, id)
    WHERE waiting_for IS NOT NULL AND state <> 'running';
CREATE INDEX runs_by_flow ON longterm.runs (flow, id) WHERE state <> 'running';

-- The runs that are running, due or ended: for workers, and for people who look for a rare state.
CREATE INDEX runs_running ON longterm.runs (id, claimed_until) WHERE state = 'running';
CREATE INDEX runs_due ON longterm.runs (deadline, id)
    WHERE state = 'suspended' AND deadline IS NOT NULL;
CREATE INDEX runs_ended ON longterm.runs (updated_at) WHERE state NOT IN ('suspended', 'running');
CREATE INDEX runs_by_end ON longterm.runs (state, id, updated_at)
    WHERE state NOT IN ('suspended', 'running');

-- The facts of all runs. The triggers keep them, so that a save is still one statement. A GIN index
-- on the runs would not do: it has no order, so that a fact that many runs have is slow to page
-- through, and the planner takes a rare fact for one of those.
CREATE TABLE longterm.facts (
    fact text COLLATE "C" NOT NULL,
    run  text COLLATE "C" NOT NULL,
    PRIMARY KEY (fact, run)
);

CREATE FUNCTION longterm.keep_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM longterm.facts WHERE run = OLD.id AND fact = ANY (OLD.facts);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO longterm.facts SELECT unnest(NEW.facts), NEW.id ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER facts_of_created_run AFTER INSERT ON longterm.runs
    FOR EACH ROW WHEN (NEW.facts <> '{}') EXECUTE FUNCTION longterm.keep_facts();
CREATE TRIGGER facts_of_saved_run AFTER UPDATE OF facts ON longterm.runs
    FOR EACH ROW WHEN (NEW.facts <> OLD.facts) EXECUTE FUNCTION longterm.keep_facts();
CREATE TRIGGER facts_of_deleted_run AFTER DELETE ON longterm.runs
    FOR EACH ROW WHEN (OLD.facts <> '{}') EXECUTE FUNCTION longterm.keep_facts();

COMMENT ON TABLE longterm.facts IS 'One row for each fact of a run, like patient=4711';
COMMENT ON TABLE longterm.runs IS 'One row for each execution of a flow';
COMMENT ON COLUMN longterm.runs.turn IS 'Turns begun so far; only the newest claim can save';
COMMENT ON COLUMN longterm.runs.flow IS 'The flow it executes, as module:qualname';
COMMENT ON COLUMN longterm.runs.state IS 'suspended, running, complete, failed or cancelled';
COMMENT ON COLUMN longterm.runs.waiting_for IS 'The event that a suspended run needs';
COMMENT ON COLUMN longterm.runs.deadline IS 'When its wait ends by itself';
COMMENT ON COLUMN longterm.runs.claimed_until IS 'Until when the claim of a running run holds';
COMMENT ON COLUMN longterm.runs.attempts IS 'Turns in a row that died with their process';
COMMENT ON COLUMN longterm.runs.delivery IS 'The key of the delivery that began the last turn';
COMMENT ON COLUMN longterm.runs.stack IS 'The encoded frames of before the current turn';
COMMENT ON COLUMN longterm.runs.response IS 'What the last turn said, encoded';
COMMENT ON COLUMN longterm.runs.result IS 'What the flow returned, encoded';
COMMENT ON COLUMN longterm.runs.error IS 'Why a failed run failed';
COMMENT ON COLUMN longterm.runs.facts IS 'The facts by which it can be found, like patient=4711';
COMMENT ON COLUMN longterm.runs.updated_at IS 'When its last turn was saved';
