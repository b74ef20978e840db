"""A conversation in the terminal, each answer handled by a new process: `python -m longterm.demo`.

`flows.py` holds the conversation, `turn.py` is the process that handles one answer, and
`__main__.py` asks for the answers and shows what happens.
"""
