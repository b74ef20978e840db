-- Postgres changes a row in its place, and writes no index, if no index names a column that differs
-- afterwards, be it in a condition. A turn changes the state, the claim and the times of each run. So
-- what only few runs are looked for by stands in columns that are NULL in all others. And what a claim
-- changes stands last: of two rows in one page, the log is told from where on they differ.
DROP INDEX IF EXISTS longterm.runs_by_event, longterm.runs_by_events, longterm.runs_by_flow,
    longterm.runs_running, longterm.runs_due, longterm.runs_ended, longterm.runs_by_end,
    longterm.runs_unread, longterm.runs_queued, longterm.runs_in_slots, longterm.runs_delayed;
DROP TRIGGER checksum_of_older_writer ON longterm.runs;
DROP FUNCTION longterm.forget_checksum;

ALTER TABLE longterm.runs
    ADD COLUMN able_since timestamptz,
    ADD COLUMN ended text COLLATE "C",
    ADD COLUMN ended_at timestamptz,
    ADD COLUMN last_turn bigint,
    ADD COLUMN last_state text COLLATE "C",
    ADD COLUMN last_attempts integer,
    ADD COLUMN last_claimed_until timestamptz,
    ADD COLUMN last_claim bigint,
    ADD COLUMN slot text COLLATE "C";
-- Written once, since all that is computed is in one command.
ALTER TABLE longterm.runs
    ALTER COLUMN able_since TYPE timestamptz USING CASE WHEN unread <> '' AND (state = 'running'
        OR state = 'suspended' AND string_to_array(unread, E'\n') && string_to_array(
            waiting_for || E'\n' || 'longterm.cancel' || E'\n' || 'longterm.throw', E'\n'))
        THEN coalesce(updated_at, '-infinity') END,
    ALTER COLUMN ended TYPE text COLLATE "C"
        USING CASE WHEN state NOT IN ('suspended', 'running') THEN state END,
    ALTER COLUMN ended_at TYPE timestamptz
        USING CASE WHEN state NOT IN ('suspended', 'running') THEN updated_at END,
    ALTER COLUMN last_turn TYPE bigint USING turn,
    ALTER COLUMN last_turn SET NOT NULL,
    ALTER COLUMN last_state TYPE text COLLATE "C" USING state,
    ALTER COLUMN last_state SET NOT NULL,
    ALTER COLUMN last_attempts TYPE integer USING attempts,
    ALTER COLUMN last_attempts SET NOT NULL,
    ALTER COLUMN last_claimed_until TYPE timestamptz USING claimed_until,
    ALTER COLUMN last_claim TYPE bigint USING claim,
    ALTER COLUMN slot TYPE text COLLATE "C" USING CASE WHEN state = 'running' THEN queue END;
ALTER TABLE longterm.runs
    DROP COLUMN turn, DROP COLUMN state, DROP COLUMN attempts, DROP COLUMN claimed_until,
    DROP COLUMN claim;
ALTER TABLE longterm.runs RENAME COLUMN last_turn TO turn;
ALTER TABLE longterm.runs RENAME COLUMN last_state TO state;
ALTER TABLE longterm.runs RENAME COLUMN last_attempts TO attempts;
ALTER TABLE longterm.runs RENAME COLUMN last_claimed_until TO claimed_until;
ALTER TABLE longterm.runs RENAME COLUMN last_claim TO claim;

COMMENT ON COLUMN longterm.runs.turn IS 'Turns begun so far; only the newest claim can save';
COMMENT ON COLUMN longterm.runs.state IS 'suspended, running, complete, failed or cancelled';
COMMENT ON COLUMN longterm.runs.attempts IS 'Turns in a row that died with their process';
COMMENT ON COLUMN longterm.runs.claimed_until IS 'Until when the claim of a running run holds';
COMMENT ON COLUMN longterm.runs.claim IS
    'Drawn at random by each claim: a failover may give a turn out twice, but no claim';

CREATE INDEX runs_by_flow ON longterm.runs (flow, id);
CREATE INDEX runs_by_event ON longterm.runs (left(waiting_for, 501), id)
    WHERE waiting_for IS NOT NULL;
CREATE INDEX runs_by_events ON longterm.runs USING gin (string_to_array(waiting_for, E'\n'))
    WHERE strpos(waiting_for, E'\n') > 0;
CREATE INDEX runs_by_end ON longterm.runs (ended, id, ended_at) WHERE ended IS NOT NULL;
CREATE INDEX runs_ended ON longterm.runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_due ON longterm.runs (deadline, id) WHERE deadline IS NOT NULL AND ended IS NULL;
CREATE INDEX runs_unread ON longterm.runs (able_since, id) WHERE able_since IS NOT NULL;
CREATE INDEX runs_queued ON longterm.runs (queue, partition, queued_at)
    WHERE queued_at IS NOT NULL AND ended IS NULL;
CREATE INDEX runs_delayed ON longterm.runs (deadline)
    WHERE deadline IS NOT NULL AND ended IS NULL AND queue IS NOT NULL;
CREATE INDEX runs_in_slots ON longterm.runs (slot, partition) WHERE slot IS NOT NULL;

-- Which runs are running: a claim adds a row, and a save takes it away. Two for one run do no harm.
-- The table never gets so small that the planner would read it whole, for then it would go on doing
-- so when many turns begin at once.
CREATE TABLE longterm.claims (
    run   text COLLATE "C" NOT NULL,
    until timestamptz NOT NULL
) WITH (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000);
CREATE INDEX claims_by_run ON longterm.claims (run);
INSERT INTO longterm.claims SELECT repeat(' ', 400), now() FROM generate_series(1, 320);
DELETE FROM longterm.claims;
INSERT INTO longterm.claims
    SELECT id, coalesce(claimed_until, 'infinity') FROM longterm.runs WHERE state = 'running';

-- A process of a longterm before 0.2 that still has the schema open, or a hand, knows neither claims
-- nor checksums. What it saves loses the checksum that it had, which would not match any more. AFTER,
-- since a BEFORE trigger would lock each row that any claim or save changes once more.
CREATE FUNCTION longterm.note_older_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'running' THEN
        INSERT INTO longterm.claims VALUES (NEW.id, coalesce(NEW.claimed_until, 'infinity'));
        UPDATE longterm.runs SET slot = queue, ended = NULL, ended_at = NULL WHERE id = NEW.id;
    ELSE
        DELETE FROM longterm.claims WHERE run = NEW.id;
        UPDATE longterm.runs SET slot = NULL,
            able_since = CASE WHEN unread <> '' THEN coalesce(updated_at, '-infinity') END,
            ended = nullif(state, 'suspended'),
            ended_at = CASE WHEN state <> 'suspended' THEN updated_at END
        WHERE id = NEW.id;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        UPDATE longterm.runs SET checksum = NULL
            WHERE id = NEW.id AND OLD.state = 'running' AND NEW.state <> 'running';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER saved_by_older_writer AFTER UPDATE OF state ON longterm.runs FOR EACH ROW WHEN
    (NEW.state <> OLD.state AND NEW.claim IS NOT DISTINCT FROM OLD.claim
    AND (NEW.checksum IS NULL OR NEW.checksum = OLD.checksum)
    AND NEW.ended IS NOT DISTINCT FROM OLD.ended)
    EXECUTE FUNCTION longterm.note_older_writer();
CREATE TRIGGER created_by_older_writer AFTER INSERT ON longterm.runs FOR EACH ROW WHEN
    (NEW.state <> 'suspended' AND NEW.claim IS NULL AND NEW.ended IS NULL)
    EXECUTE FUNCTION longterm.note_older_writer();

COMMENT ON TABLE longterm.claims IS 'The runs that are running';
COMMENT ON COLUMN longterm.claims.until IS 'As claimed_until of the run';
COMMENT ON COLUMN longterm.runs.slot IS 'The queue whose slot it holds';
COMMENT ON COLUMN longterm.runs.able_since IS
    'When it was saved, if it may be able to go on by an unread event; else NULL';
COMMENT ON COLUMN longterm.runs.ended IS 'The state in which it has ended';
COMMENT ON COLUMN longterm.runs.ended_at IS 'When it has ended';

-- The functions of the queues, by these indexes.
CREATE OR REPLACE FUNCTION longterm.slots_left(
    lane longterm.queues, moment timestamptz, most integer
) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF lane.rate IS NOT NULL THEN
        most := least(most, lane.rate - CASE WHEN longterm.window_is_over(lane, moment)
            THEN 0 ELSE lane.window_taken END);
    END IF;
    IF lane.concurrency IS NOT NULL AND most > 0 THEN
        most := least(most, lane.concurrency - (SELECT count(*)::integer FROM longterm.runs
            WHERE slot = lane.name));
    END IF;
    RETURN most;
END $$;

CREATE OR REPLACE FUNCTION longterm.claim_of_partition(
    lane longterm.queues, share text, lease_end timestamptz, flows text[], without text[],
    number bigint
) RETURNS SETOF longterm.runs LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY WITH claimed AS (
    UPDATE longterm.runs SET state = 'running', turn = runs.turn + 1, claim = number,
        claimed_until = lease_end, slot = runs.queue
    WHERE runs.id = (
        SELECT waiting.id FROM longterm.runs AS waiting
        WHERE waiting.state = 'suspended' AND waiting.queued_at IS NOT NULL
            AND waiting.ended IS NULL AND waiting.queue = lane.name
            AND waiting.partition = share
            AND (flows IS NULL OR waiting.flow = ANY (flows))
            AND (without IS NULL OR waiting.position IS NULL OR waiting.position <> ALL (without))
            AND (lane.per_partition IS NULL OR lane.per_partition > (
                SELECT count(*) FROM longterm.runs AS held
                    WHERE held.slot = lane.name AND held.partition = share))
        ORDER BY waiting.queued_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING runs.*),
    noted AS (INSERT INTO longterm.claims SELECT claimed.id, lease_end FROM claimed)
    SELECT * FROM claimed;
END $$;

CREATE OR REPLACE FUNCTION longterm.claim_of_queue(
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
            WHERE slot = lane.name GROUP BY partition HAVING count(*) >= lane.per_partition);
    END IF;
    WHILE taken < slots LOOP
        SELECT partition INTO share FROM longterm.runs
            WHERE state = 'suspended' AND queued_at IS NOT NULL AND ended IS NULL
                AND queue = lane.name AND partition >= place
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

CREATE OR REPLACE FUNCTION longterm.claim_queued(
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
        WHERE state = 'suspended' AND ended IS NULL AND queue IS NOT NULL
            AND deadline <= moment
        ORDER BY deadline LIMIT 1000 FOR UPDATE SKIP LOCKED);
    FOR lane IN SELECT * FROM longterm.queues WHERE names IS NULL OR name = ANY (names)
        ORDER BY served_at NULLS FIRST, name
    LOOP
        EXIT WHEN most <= 0;
        CONTINUE WHEN NOT EXISTS (SELECT FROM longterm.runs
                WHERE state = 'suspended' AND queued_at IS NOT NULL AND ended IS NULL
                    AND queue = lane.name)
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
