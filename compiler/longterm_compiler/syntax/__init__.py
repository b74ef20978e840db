"""Python's syntax: source files, and small tools for trees. Knows nothing of flows."""
