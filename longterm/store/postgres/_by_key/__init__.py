"""The steps that a distributed Postgres cannot take as Postgres does.

Here each is a plain read of candidates, and then a write for each, of one row by its key. In that
write the database looks once more whether the candidate is one: so nothing is locked in between,
and of several callers one has it.
"""
