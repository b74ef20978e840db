-- The runs that wait for several events, whose names are the lines of `waiting_for`. There are few
-- kinds of wait, and many runs of each: to look through the names is as good as to have each in an
-- index, and is written only when a run comes to wait for other events.
CREATE INDEX runs_by_events ON runs (id, waiting_for) WHERE instr(waiting_for, char(10)) > 0;
