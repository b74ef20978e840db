ALTER TABLE longterm.runs
    ADD COLUMN queue text COLLATE "C",
    ADD COLUMN partition text COLLATE "C",
    ADD COLUMN queued_at timestamptz;

-- What is in no queue is in none of these. A partition is one stretch of the first: whoever looks for
-- the next one with anything in it finds it at once, however many runs each has.
CREATE INDEX runs_queued ON longterm.runs (queue, partition, queued_at)
    WHERE state = 'suspended' AND queued_at IS NOT NULL;
CREATE INDEX runs_in_slots ON longterm.runs (queue, partition)
    WHERE state = 'running' AND queue IS NOT NULL;
CREATE INDEX runs_delayed ON longterm.runs (deadline)
    WHERE state = 'suspended' AND deadline IS NOT NULL AND queue IS NOT NULL;

-- Half empty pages, so that a row which each claim changes is changed in place.
CREATE TABLE longterm.queues (
    name           text COLLATE "C" NOT NULL PRIMARY KEY,
    concurrency    integer,
    per_partition  integer,
    rate           integer,
    rate_seconds   double precision,
    next_partition text COLLATE "C" NOT NULL DEFAULT '',
    served_at      timestamptz,
    window_began   timestamptz,
    window_taken   integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

COMMENT ON COLUMN longterm.runs.queue IS
    'The queue in which it waits for a slot when suspended, or whose slot it holds when running';
COMMENT ON COLUMN longterm.runs.partition IS 'Whose share of the queue it takes; empty if nobody''s';
COMMENT ON COLUMN longterm.runs.queued_at IS
    'Since when it waits for a slot; its deadline is NULL then';
COMMENT ON TABLE longterm.queues IS 'Queues as they were declared last, and whose turn it is';
COMMENT ON COLUMN longterm.queues.concurrency IS 'How many runs may hold a slot; NULL: any number';
COMMENT ON COLUMN longterm.queues.per_partition IS 'How many of one partition may';
COMMENT ON COLUMN longterm.queues.rate IS 'How many may begin in rate_seconds';
COMMENT ON COLUMN longterm.queues.next_partition IS 'Where the turns of the partitions begin';
COMMENT ON COLUMN longterm.queues.served_at IS 'When a run was taken from it last';
COMMENT ON COLUMN longterm.queues.window_began IS 'When the time of its rate began';

-- Each statement of a function sees what was committed before it, at READ COMMITTED. So one that
-- counts after the queue's row is locked counts right, and the row is locked for no round trip.

-- How many runs may be taken from a queue now.
CREATE FUNCTION longterm.slots_left(lane longterm.queues, moment timestamptz, most integer)
RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF lane.rate IS NOT NULL THEN
        most := least(most, lane.rate - CASE WHEN longterm.window_is_over(lane, moment)
            THEN 0 ELSE lane.window_taken END);
    END IF;
    IF lane.concurrency IS NOT NULL AND most > 0 THEN
        most := least(most, lane.concurrency - (SELECT count(*)::integer FROM longterm.runs
            WHERE state = 'running' AND queue = lane.name));
    END IF;
    RETURN most;
END $$;

-- A clock that was set wrong for a moment does not close a queue for years.
CREATE FUNCTION longterm.window_is_over(lane longterm.queues, moment timestamptz)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT lane.window_began IS NULL
        OR abs(extract(epoch FROM moment - lane.window_began)) >= lane.rate_seconds
$$;

-- The oldest run of a partition, if that can have a slot.
CREATE FUNCTION longterm.claim_of_partition(
    lane longterm.queues, share text, lease_end timestamptz, flows text[], without text[],
    number bigint
) RETURNS SETOF longterm.runs LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY UPDATE longterm.runs SET state = 'running', turn = runs.turn + 1, claim = number,
        claimed_until = lease_end
    WHERE runs.id = (
        SELECT waiting.id FROM longterm.runs AS waiting
        WHERE waiting.state = 'suspended' AND waiting.queued_at IS NOT NULL
            AND waiting.queue = lane.name AND waiting.partition = share
            AND (flows IS NULL OR waiting.flow = ANY (flows))
            AND (without IS NULL OR waiting.position IS NULL OR waiting.position <> ALL (without))
            AND (lane.per_partition IS NULL OR lane.per_partition > (
                SELECT count(*) FROM longterm.runs AS held WHERE held.state = 'running'
                    AND held.queue = lane.name AND held.partition = share))
        ORDER BY waiting.queued_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING runs.*;
END $$;

-- Runs of a queue: one of each partition in turn, and then one more of each. As take_in_turn in
-- longterm/store/_shares.py.
CREATE FUNCTION longterm.claim_of_queue(
    lane longterm.queues, slots integer, moment timestamptz, lease_end timestamptz, flows text[],
    without text[], number bigint, is_noted boolean
) RETURNS SETOF longterm.runs LANGUAGE plpgsql AS $$
DECLARE
    start text := lane.next_partition;
    later text := lane.next_partition;
    place text := lane.next_partition;
    is_before boolean := false;
    share text;
    taken integer := 0;
    used_up text[] := '{}';
    more text[] := '{}';
    still text[];
BEGIN
    IF lane.per_partition IS NOT NULL THEN
        used_up := ARRAY(SELECT partition FROM longterm.runs
            WHERE state = 'running' AND queue = lane.name
            GROUP BY partition HAVING count(*) >= lane.per_partition);
    END IF;
    WHILE taken < slots LOOP
        SELECT partition INTO share FROM longterm.runs
            WHERE state = 'suspended' AND queued_at IS NOT NULL AND queue = lane.name
                AND partition >= place
            ORDER BY partition LIMIT 1;
        IF NOT FOUND OR (is_before AND share >= start) THEN
            EXIT WHEN is_before;
            is_before := true;
            place := '';
            CONTINUE;
        END IF;
        place := share || E'\x01';
        CONTINUE WHEN share = ANY (used_up);
        RETURN QUERY SELECT * FROM
            longterm.claim_of_partition(lane, share, lease_end, flows, without, number);
        IF FOUND THEN
            taken := taken + 1;
            more := more || share;
            later := place;
        END IF;
    END LOOP;
    WHILE taken < slots AND more <> '{}' LOOP
        still := '{}';
        FOREACH share IN ARRAY more LOOP
            EXIT WHEN taken = slots;
            RETURN QUERY SELECT * FROM
                longterm.claim_of_partition(lane, share, lease_end, flows, without, number);
            IF FOUND THEN
                taken := taken + 1;
                still := still || share;
                later := share || E'\x01';
            END IF;
        END LOOP;
        more := still;
    END LOOP;
    IF taken > 0 AND is_noted THEN
        UPDATE longterm.queues SET next_partition = later, served_at = moment,
            window_began = CASE WHEN rate IS NULL THEN NULL
                WHEN longterm.window_is_over(queues, moment) THEN moment ELSE window_began END,
            window_taken = CASE WHEN rate IS NULL THEN 0
                WHEN longterm.window_is_over(queues, moment) THEN taken
                ELSE window_taken + taken END
        WHERE name = lane.name;
    END IF;
END $$;

-- Runs that wait for a slot and can have one, of the queues with some names, or of all. Whatever the
-- planner knows of the table, the indexes are the way: a queue may fill within a minute.
CREATE FUNCTION longterm.claim_queued(
    moment timestamptz, lease_end timestamptz, most integer, flows text[], names text[],
    without text[], number bigint
) RETURNS SETOF longterm.runs LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off AS $$
DECLARE
    lane longterm.queues;
    held longterm.queues;
    slots integer;
    taken integer;
    is_limited boolean;
    is_noted boolean;
    has_lock boolean := false;
BEGIN
    UPDATE longterm.runs SET queued_at = deadline, deadline = NULL WHERE id IN (
        SELECT id FROM longterm.runs
        WHERE state = 'suspended' AND queue IS NOT NULL AND deadline <= moment
        ORDER BY deadline LIMIT 1000 FOR UPDATE SKIP LOCKED);
    FOR lane IN SELECT * FROM longterm.queues WHERE names IS NULL OR name = ANY (names)
        ORDER BY served_at NULLS FIRST, name
    LOOP
        EXIT WHEN most <= 0;
        CONTINUE WHEN NOT EXISTS (SELECT FROM longterm.runs
                WHERE state = 'suspended' AND queued_at IS NOT NULL AND queue = lane.name)
            OR longterm.slots_left(lane, moment, most) <= 0;
        is_limited := coalesce(lane.concurrency, lane.per_partition, lane.rate) IS NOT NULL;
        IF is_limited AND NOT has_lock THEN
            SELECT * INTO held FROM longterm.queues WHERE name = lane.name FOR UPDATE;
            has_lock := true;
        ELSE  -- whoever waits for one lock while it has another may wait for ever
            SELECT * INTO held FROM longterm.queues WHERE name = lane.name FOR UPDATE SKIP LOCKED;
        END IF;
        is_noted := FOUND;
        CONTINUE WHEN is_limited AND NOT is_noted;
        IF is_noted THEN lane := held; END IF;
        slots := longterm.slots_left(lane, moment, most);
        RETURN QUERY SELECT * FROM longterm.claim_of_queue(
            lane, slots, moment, lease_end, flows, without, number, is_noted);
        GET DIAGNOSTICS taken = ROW_COUNT;
        most := most - taken;
    END LOOP;
END $$;
