"""Flows: what `@deflow` makes of a function, and how one turn of it runs. No store and no I/O."""
