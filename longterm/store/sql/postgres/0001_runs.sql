-- Text of ids and events compares by code point, whatever the collation of the database.
-- A turn changes no indexed column, so with room on the page it leaves no index entry behind.
CREATE TABLE longterm.runs (
    id          text COLLATE "C" NOT NULL PRIMARY KEY,
    flow        text NOT NULL,
    state       text NOT NULL,
    turn        bigint NOT NULL,
    waiting_for text COLLATE "C",
    stack       bytea,
    response    bytea,
    result      bytea,
    error       text,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
) WITH (fillfactor = 80);

COMMENT ON TABLE longterm.runs IS 'One row for each execution of a flow';
COMMENT ON COLUMN longterm.runs.flow IS 'The flow it executes, as module:qualname';
COMMENT ON COLUMN longterm.runs.state IS 'suspended, running, complete, failed or cancelled';
COMMENT ON COLUMN longterm.runs.turn IS 'Turns begun so far; only the newest claim can save';
COMMENT ON COLUMN longterm.runs.waiting_for IS 'The event that a suspended run needs';
COMMENT ON COLUMN longterm.runs.stack IS 'The encoded frames of before the current turn';
COMMENT ON COLUMN longterm.runs.response IS 'What the last turn said, encoded';
COMMENT ON COLUMN longterm.runs.result IS 'What the flow returned, encoded';
COMMENT ON COLUMN longterm.runs.error IS 'Why a failed run failed';
COMMENT ON COLUMN longterm.runs.updated_at IS 'When the last turn was claimed or saved';
