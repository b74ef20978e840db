-- A process of a longterm before 0.2 that still has the schema open knows no checksums. What it
-- saves, or lets go of, loses the one that it had, which would not match any more. AFTER, since a
-- BEFORE trigger would lock each row that any claim or save changes once more.
CREATE FUNCTION longterm.forget_checksum() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE longterm.runs SET checksum = NULL WHERE id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER checksum_of_older_writer AFTER UPDATE OF attempts ON longterm.runs
    FOR EACH ROW WHEN
    (OLD.state = 'running' AND NEW.state <> 'running' AND NEW.checksum = OLD.checksum)
    EXECUTE FUNCTION longterm.forget_checksum();
