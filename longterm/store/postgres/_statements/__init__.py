"""The statements of the Postgres store: each is one step, and says all that it needs.

Those of a turn touch one row, by its key.
"""
