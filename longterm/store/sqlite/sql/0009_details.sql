-- What few runs have, as JSON: {"parent": "…", "children": ["…"], "wants": {…}}; NULL for the others.
ALTER TABLE runs ADD COLUMN details TEXT;

-- What turns send to other runs, until it is delivered. It does not end with the run that sends it.
CREATE TABLE outbox (
    id       TEXT NOT NULL PRIMARY KEY,
    sender   TEXT NOT NULL,     -- the run whose turn sends it
    number   INTEGER NOT NULL,  -- its place among all that the turn sends
    receiver TEXT NOT NULL,     -- the run that it is for
    kind     TEXT NOT NULL,     -- start, spawn, event or cancel
    name     TEXT NOT NULL,     -- the flow to begin, or the event
    body     BLOB NOT NULL,     -- the encoded call, or the event's value
    key      TEXT NOT NULL,
    digest   TEXT NOT NULL,
    sent_at  TEXT NOT NULL,
    due_at   TEXT NOT NULL,     -- when whoever finds it is to deliver it
    checksum INTEGER NOT NULL   -- of all but due_at
) STRICT;

CREATE INDEX outbox_due ON outbox (due_at, sender, number);
