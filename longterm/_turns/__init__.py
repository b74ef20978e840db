"""Turns: claim a run, run it to its next suspension, save it. All or nothing."""
