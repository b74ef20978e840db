"""What the web interface itself refuses; what the engine does is in `longterm.errors`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from longterm.errors import LongtermError


class Refusal(LongtermError):
    """The base of what is refused before the engine is asked."""


class BadRequest(Refusal):
    """Raised when a header, a parameter or the body of a request is not what it should be."""


class Unauthenticated(Refusal):
    """Raise this in `authorize` if you do not know who asks."""

    def __init__(self, scheme: str = "Bearer") -> None:
        """Take how one shows who one is: the value of the header `WWW-Authenticate`."""
        self.scheme = scheme
        super().__init__("it is not known who asks (send credentials)")


class Forbidden(Refusal):
    """Raised when somebody may not do what the request asks for."""


class UnlistedFlow(Refusal):
    """Raised when a flow is to be started that the application does not offer."""

    def __init__(self, flow: str) -> None:
        """Keep the name."""
        self.flow = flow
        super().__init__(f"there is no flow {flow!r} here (GET api/flows lists them)")


class BodyTooLarge(Refusal):
    """Raised when the body of a request has more bytes than the application takes."""

    def __init__(self, max_bytes: int) -> None:
        """Keep the limit."""
        super().__init__(f"a body may have {max_bytes:,} bytes (keep what is large elsewhere)")


class WrongMediaType(Refusal):
    """Raised when the body of a request is no JSON by its `Content-Type`."""

    def __init__(self, media_type: str) -> None:
        """Say what it is."""
        super().__init__(
            f"the body is of type {media_type[:100]!r} (send JSON, and "
            "`Content-Type: application/json`)"
        )


class InvalidArguments(Refusal):
    """Raised when a flow is to be started with what it does not take."""

    def __init__(self, flow: str, errors: Sequence[Mapping[str, Any]]) -> None:
        """Keep what does not fit, and where, as `InvalidValue` does."""
        self.flow = flow
        self.errors = [dict(error) for error in errors]
        places = "; ".join(
            f"{'.'.join(map(str, error['loc']))[:100]}: {str(error['msg'])[:300]}"
            for error in self.errors[:5]
        )
        super().__init__(f"flow {flow} does not take these arguments: {places}")


class TooManyFollowers(Refusal):
    """Raised when more streams are asked for than the application keeps open."""

    def __init__(self, most: int) -> None:
        """Keep the limit."""
        super().__init__(f"{most} runs are followed here already (try again later)")
