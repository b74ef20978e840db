"""Codemods for `longterm-compile --fix`: what a rule's help says, done by a machine.

One file a rule. Each takes the place of a diagnostic and proposes an edit of the author's syntax
tree (libcst), which keeps layout and comments. The levels are those of Ruff
(docs.astral.sh/ruff/linter/#fix-safety):

- a *safe* fix makes a flow that does what the undecorated function does, in the same order;
- an *unsafe* fix may change something, such as when a value is asked for.

Rules without a file here need a decision that only the author can take.
"""
