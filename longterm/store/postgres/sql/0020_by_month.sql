-- A run that is complete or cancelled does not change any more. Once the option is on (by_month.sql),
-- workers move such runs from the table of runs into a table of the month in which they ended, which
-- is dropped as a whole. Without the option there are no such tables, and these two are empty.
CREATE TABLE longterm.ended_runs (LIKE longterm.runs INCLUDING DEFAULTS, PRIMARY KEY (id, ended_at))
    PARTITION BY RANGE (ended_at);
CREATE INDEX ended_runs_by_flow ON longterm.ended_runs (flow, id);
CREATE INDEX ended_runs_by_end ON longterm.ended_runs (ended, id);

CREATE TABLE longterm.ended_facts (
    fact     text COLLATE "C" NOT NULL,
    run      text COLLATE "C" NOT NULL,
    ended_at timestamptz NOT NULL,
    PRIMARY KEY (fact, run, ended_at)
) PARTITION BY RANGE (ended_at);

CREATE FUNCTION longterm.forget_ended_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM longterm.ended_facts
        WHERE run = OLD.id AND fact = ANY (OLD.facts) AND ended_at = OLD.ended_at;
    RETURN NULL;
END $$;
CREATE TRIGGER facts_of_deleted_run AFTER DELETE ON longterm.ended_runs
    FOR EACH ROW WHEN (OLD.facts <> '{}') EXECUTE FUNCTION longterm.forget_ended_facts();
CREATE TRIGGER deliveries_of_deleted_run AFTER DELETE ON longterm.ended_runs
    FOR EACH ROW EXECUTE FUNCTION longterm.forget_deliveries();
CREATE TRIGGER inbox_of_deleted_run AFTER DELETE ON longterm.ended_runs
    FOR EACH ROW EXECUTE FUNCTION longterm.forget_inbox();
CREATE TRIGGER progress_of_deleted_run AFTER DELETE ON longterm.ended_runs
    FOR EACH ROW EXECUTE FUNCTION longterm.forget_progress();
CREATE TRIGGER history_of_deleted_run AFTER DELETE ON longterm.ended_runs
    FOR EACH ROW EXECUTE FUNCTION longterm.forget_history();

COMMENT ON TABLE longterm.ended_runs IS 'Runs that are complete or cancelled, by month, if so asked for';
COMMENT ON TABLE longterm.ended_facts IS 'One row for each fact of a run in ended_runs';

-- Whether the option is on: by_month.sql makes this trigger.
CREATE FUNCTION longterm.keeps_by_month() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgname = 'id_of_ended_run'
        AND tgrelid = pg_catalog.to_regclass(pg_catalog.format('%I.runs', 'longterm')))
$$;

-- Makes the tables of a month, as the owner of the tables, for whoever may add rows to them. Whoever
-- reads them for long is not waited for, since everybody else would wait meanwhile.
CREATE FUNCTION longterm.make_month(month timestamp) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' AS $$
DECLARE
    parent text;
    bounds text := format('FROM (%L) TO (%L)', to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00',
        to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
BEGIN
    IF NOT has_table_privilege(session_user,
            to_regclass(format('%I.ended_runs', 'longterm')), 'INSERT') THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied for table ended_runs';
    END IF;
    -- A start that began before knows only the months of then: its transaction has to be over.
    LOCK TABLE longterm.ended_runs, longterm.ended_facts IN ACCESS EXCLUSIVE MODE;
    FOREACH parent IN ARRAY ARRAY['ended_runs', 'ended_facts'] LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS longterm.%I PARTITION OF longterm.%I FOR VALUES ',
            parent || to_char(month, '_YYYY_MM'), parent) || bounds;
    END LOOP;
END $$;

-- Moves runs that have ended, at most so many; -1 if a month has to be made and cannot be now, NULL if
-- the option is off. What belongs to a run stays where it is, for it is not deleted: by_month.sql has
-- the triggers look at the setting.
CREATE FUNCTION longterm.move_ended(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    those text[];
    month timestamp;
BEGIN
    IF NOT longterm.keeps_by_month() THEN
        RETURN NULL;
    END IF;
    those := ARRAY(SELECT id FROM longterm.runs WHERE ended IN ('complete', 'cancelled')
        AND ended_at >= '0001-01-02+00' AND ended_at < '9999-12-01+00'
        LIMIT most FOR UPDATE SKIP LOCKED);
    FOR month IN SELECT DISTINCT date_trunc('month', ended_at AT TIME ZONE 'UTC')
        FROM longterm.runs WHERE id = ANY (those)
    LOOP
        CONTINUE WHEN to_regclass(
            format('%I.%I', 'longterm', 'ended_facts' || to_char(month, '_YYYY_MM'))) IS NOT NULL;
        BEGIN
            PERFORM longterm.make_month(month);
        EXCEPTION WHEN lock_not_available THEN
            RETURN -1;
        END;
    END LOOP;
    PERFORM set_config('ended_runs.moves', 'yes', true);
    WITH moved AS (DELETE FROM longterm.runs WHERE id = ANY (those) RETURNING runs.*),
        found_by AS (INSERT INTO longterm.ended_facts
            SELECT unnest(facts), id, ended_at FROM moved ON CONFLICT DO NOTHING)
    INSERT INTO longterm.ended_runs SELECT * FROM moved;
    PERFORM set_config('ended_runs.moves', 'no', true);
    RETURN cardinality(those);
END $$;

-- The months of which all is older than a moment, the oldest first.
CREATE FUNCTION longterm.months_before(moment timestamptz) RETURNS SETOF timestamp
LANGUAGE sql STABLE AS $$
    SELECT month FROM (SELECT to_date(right(relname, 7), 'YYYY_MM')::timestamp AS month
        FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class ON inhrelid = pg_class.oid
        WHERE inhparent = pg_catalog.to_regclass(pg_catalog.format('%I.ended_runs', 'longterm')))
        AS months
    WHERE month + interval '1 month' <= moment AT TIME ZONE 'UTC' ORDER BY month
$$;

-- Drops the tables of a month, if it has as many runs as were seen: what belongs to these is deleted
-- already. Returns what came of it.
CREATE FUNCTION longterm.drop_month(month timestamp, seen bigint) RETURNS text LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    runs text := 'ended_runs' || to_char(month, '_YYYY_MM');
    facts text := 'ended_facts' || to_char(month, '_YYYY_MM');
    found bigint;
BEGIN
    IF NOT has_table_privilege(session_user,
            to_regclass(format('%I.ended_runs', 'longterm')), 'DELETE') THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied for table ended_runs';
    END IF;
    EXECUTE format('LOCK TABLE longterm.%I IN SHARE MODE', runs);
    EXECUTE format('SELECT count(*) FROM longterm.%I', runs) INTO found;
    IF found <> seen THEN
        RETURN 'changed';
    END IF;
    EXECUTE format('DROP TABLE longterm.%I, longterm.%I', facts, runs);
    RETURN 'dropped';
EXCEPTION
    WHEN undefined_table THEN RETURN 'gone';
    WHEN lock_not_available THEN RETURN 'busy';
END $$;

-- How many runs wait for several events, of which the planner else knows nothing where none does.
CREATE STATISTICS longterm.runs_of_several ON (strpos(waiting_for, E'\n')) FROM longterm.runs;
ANALYZE longterm.runs;
