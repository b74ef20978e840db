-- What belongs to a run stands with it, on one node; what is small stands on all of them. Executed
-- after by_key.sql, on the coordinator; does no harm to tables that stand so already.
SET LOCAL citus.multi_shard_modify_mode = 'sequential';
DO $$
DECLARE
    name text;
    key text;
    place text;
BEGIN
    FOR name, key IN VALUES ('runs', 'id'), ('facts', 'run'), ('deliveries', 'run'), ('inbox', 'run'),
        ('outbox', 'sender'), ('history', 'run'), ('progress', 'run'),
        ('slots', 'queue'), ('migrations', NULL), ('queues', NULL), ('versions', NULL),
        ('shard', NULL)
    LOOP
        place := format('%I.%I', 'longterm', name);
        IF EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = place::regclass) THEN
            CONTINUE;
        ELSIF key IS NULL THEN
            PERFORM create_reference_table(place);
        ELSE
            PERFORM create_distributed_table(place, key, colocate_with =>
                CASE name WHEN 'runs' THEN 'none' ELSE format('%I.runs', 'longterm') END);
        END IF;
    END LOOP;
END $$;
