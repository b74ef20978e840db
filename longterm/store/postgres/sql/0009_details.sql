ALTER TABLE longterm.runs ADD COLUMN details text;

COMMENT ON COLUMN longterm.runs.details IS
    'What few runs have, as JSON: {"parent": "…", "children": ["…"], "wants": {…}}';

CREATE TABLE longterm.outbox (
    id       text COLLATE "C" NOT NULL PRIMARY KEY,
    sender   text COLLATE "C" NOT NULL,
    number   bigint NOT NULL,
    receiver text COLLATE "C" NOT NULL,
    kind     text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    body     bytea NOT NULL,
    key      text COLLATE "C" NOT NULL,
    digest   text COLLATE "C" NOT NULL,
    sent_at  timestamptz NOT NULL,
    due_at   timestamptz NOT NULL,
    checksum bigint NOT NULL
);

CREATE INDEX outbox_due ON longterm.outbox (due_at, sender, number);

COMMENT ON TABLE longterm.outbox IS 'What turns send to other runs, until it is delivered';
COMMENT ON COLUMN longterm.outbox.sender IS 'The run whose turn sends it';
COMMENT ON COLUMN longterm.outbox.number IS 'Its place among all that the turn sends';
COMMENT ON COLUMN longterm.outbox.receiver IS 'The run that it is for';
COMMENT ON COLUMN longterm.outbox.kind IS 'start, spawn, event or cancel';
COMMENT ON COLUMN longterm.outbox.name IS 'The flow to begin, or the event';
COMMENT ON COLUMN longterm.outbox.body IS 'The encoded call, or the value of the event';
COMMENT ON COLUMN longterm.outbox.due_at IS 'When whoever finds it is to deliver it';
COMMENT ON COLUMN longterm.outbox.checksum IS 'Of all but due_at';

-- The names of a thousand events are a text that no index holds whole. That of one event has 500
-- characters at most, so it is whole here, and is not taken for the beginning of another text.
DROP INDEX longterm.runs_by_event;
CREATE INDEX runs_by_event ON longterm.runs (left(waiting_for, 501), id)
    WHERE waiting_for IS NOT NULL AND state <> 'running';
