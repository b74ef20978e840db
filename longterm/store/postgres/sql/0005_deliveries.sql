CREATE TABLE longterm.deliveries (
    run      text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    digest   text COLLATE "C" NOT NULL,
    taken_at timestamptz NOT NULL,
    PRIMARY KEY (run, key)
);

CREATE FUNCTION longterm.forget_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM longterm.deliveries WHERE run = OLD.id;
    RETURN NULL;
END $$;

CREATE TRIGGER deliveries_of_deleted_run AFTER DELETE ON longterm.runs
    FOR EACH ROW EXECUTE FUNCTION longterm.forget_deliveries();

COMMENT ON TABLE longterm.deliveries IS 'The keys of the deliveries that runs have taken';
COMMENT ON COLUMN longterm.deliveries.digest IS 'Of what was delivered; empty: not known';
