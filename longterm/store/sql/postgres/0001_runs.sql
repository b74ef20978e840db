-- Text of ids and events compares by code point, whatever the collation of the database.
-- A turn changes no indexed column, so with room on the page it leaves no index entry behind.
-- Facts are json, not jsonb: jsonb turns some floats into whole numbers.
CREATE TABLE longterm.runs (
    id            text COLLATE "C" NOT NULL PRIMARY KEY,
    turn          bigint NOT NULL,
    flow          text NOT NULL,
    state         text NOT NULL,
    waiting_for   text COLLATE "C",
    deadline      timestamptz,
    claimed_until timestamptz,
    attempts      integer NOT NULL,
    delivery      text COLLATE "C",
    stack         bytea,
    response      bytea,
    result        bytea,
    error         text,
    facts         json NOT NULL,
    created_at    timestamptz,
    updated_at    timestamptz
) WITH (fillfactor = 80);

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
COMMENT ON COLUMN longterm.runs.facts IS 'The facts by which it can be found';
COMMENT ON COLUMN longterm.runs.updated_at IS 'When its last turn was saved';
