"""Tell the exception of a signal's handler from a fault of what was under way.

Such as a task queue's soft time limit. It can come anywhere, so whoever reports what others raise
as an error of their own lets it pass.
"""

from __future__ import annotations

import threading
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any


def is_of_signal(error: BaseException) -> bool:
    """Tell whether a signal's handler has raised an exception: its frame is in the traceback."""
    if threading.current_thread() is not threading.main_thread():
        return False  # Python runs handlers in the main thread only
    import signal

    handlers = [_code_of(signal.getsignal(number)) for number in range(1, signal.NSIG)]
    codes = {id(code) for code in handlers if code is not None}
    entry = error.__traceback__
    while entry is not None:
        if id(entry.tb_frame.f_code) in codes:
            return True
        entry = entry.tb_next
    return False


def _code_of(handler: Any) -> CodeType | None:
    """Return the code that runs first when a handler is called; None if there is none, or in C."""
    while isinstance(handler, (partial, MethodType)):
        handler = handler.func if isinstance(handler, partial) else handler.__func__
    if not isinstance(handler, FunctionType):
        handler = type(handler).__call__ if callable(handler) else None
    return handler.__code__ if isinstance(handler, FunctionType) else None
