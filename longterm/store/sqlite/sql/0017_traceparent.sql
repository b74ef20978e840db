-- Where the sender stood in a trace, as the header of W3C says; NULL: in none, or nobody observed it.
ALTER TABLE inbox ADD COLUMN traceparent TEXT;
ALTER TABLE outbox ADD COLUMN traceparent TEXT;
