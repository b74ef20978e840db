-- Where a run waits: the flow, the version and the point of each frame, the outermost first. NULL if it
-- waits nowhere, or was saved by a longterm that did not say.
ALTER TABLE runs ADD COLUMN position TEXT;
