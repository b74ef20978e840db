"""A conversation in the terminal, each answer handled by a new process: `longterm demo`.

`flows.py` holds the conversation as the author wrote it, `turn.py` is the process that handles one
answer, and `conversation.py` asks for the answers and shows what happens.
"""
