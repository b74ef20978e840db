"""The statements of queues."""

from __future__ import annotations

from typing import Final, LiteralString

from longterm.store.postgres._statements.columns import NAMES

CLAIM_QUEUED: Final[LiteralString] = (
    f"SELECT * FROM (SELECT {NAMES}"
    " FROM longterm.claim_queued(%s, %s, %s, %s::text[], %s::text[], %s::text[], %s))"
    " AS claimed"
)
QUEUE_NAMES: Final[LiteralString] = "name, concurrency, per_partition, rate, rate_seconds"
# What it was is read in the same step; of two that declare a new queue at once, both see none.
DECLARE_QUEUE: Final[LiteralString] = (
    f"WITH known AS (SELECT {QUEUE_NAMES} FROM longterm.queues WHERE name = %s),"
    f" declared AS (INSERT INTO longterm.queues ({QUEUE_NAMES}) VALUES (%s, %s, %s, %s, %s)"
    " ON CONFLICT (name) DO UPDATE SET concurrency = excluded.concurrency,"
    " per_partition = excluded.per_partition, rate = excluded.rate,"
    " rate_seconds = excluded.rate_seconds RETURNING name)"
    " SELECT * FROM (SELECT known.* FROM declared LEFT JOIN known USING (name)) AS before"
)
DECLARED_QUEUE: Final[LiteralString] = f"SELECT {QUEUE_NAMES} FROM longterm.queues WHERE name = %s"
QUEUE_STATUSES: Final[LiteralString] = (
    f"SELECT {QUEUE_NAMES}, coalesce(waiting, 0), coalesce(running, 0), oldest"
    " FROM longterm.queues LEFT JOIN (SELECT queue AS name, count(*) AS waiting,"
    " min(coalesce(queued_at, deadline)) AS oldest FROM longterm.runs WHERE state = 'suspended'"
    " AND queue IS NOT NULL AND (queued_at IS NOT NULL OR deadline <= %s) GROUP BY queue) AS those"
    " USING (name) LEFT JOIN (SELECT slot AS name, count(*) AS running FROM longterm.runs"
    " WHERE slot IS NOT NULL GROUP BY slot) AS held USING (name)"
    " ORDER BY name"
)
