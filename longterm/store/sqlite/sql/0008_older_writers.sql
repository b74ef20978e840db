-- A process of a longterm before 0.2 that still has the file open knows no checksums. What it saves,
-- or lets go of, loses the one that it had, which would not match any more.
CREATE TRIGGER checksum_of_older_writer AFTER UPDATE OF attempts ON runs
    WHEN OLD.state = 'running' AND NEW.state <> 'running' AND NEW.checksum = OLD.checksum
BEGIN
    UPDATE runs SET checksum = NULL WHERE id = NEW.id;
END;
