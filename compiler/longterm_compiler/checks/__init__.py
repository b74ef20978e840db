"""What a flow may not hold, one subject a file: each takes a flow and yields diagnostics.

`longterm_compiler.checks.check` runs them all; none knows another.
"""
