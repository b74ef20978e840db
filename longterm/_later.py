"""Types that only annotations name: imported when somebody asks for them, not with longterm."""

from __future__ import annotations

from typing import ForwardRef


def later(module: str, name: str) -> ForwardRef:
    """Return what stands for a type of a module in annotations.

    `typing.get_type_hints` puts the type itself in its place, and so do FastAPI and pydantic, which
    read the annotations of what they are given (`Depends(aget_run)`). To import `uuid` for one of
    them would take a tenth of the time in which longterm is imported.
    """
    return ForwardRef(f"__import__({module!r}, fromlist=['']).{name}")
