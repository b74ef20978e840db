"""The option `--telemetry`: what a command does with runs is told to OpenTelemetry.

Which SDK there is, and where it sends what, is not for this command to say: the wrapper
`opentelemetry-instrument` reads that from the environment (`OTEL_*`), or the application says it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from longterm.cli.arguments import WrongUsage

if TYPE_CHECKING:
    from longterm.telemetry import Telemetry


def telemetry() -> Telemetry:
    """Return what tells OpenTelemetry of turns.

    Raises:
        WrongUsage: it is not installed.
    """
    try:
        from longterm.telemetry import Telemetry
    except ImportError as error:
        raise WrongUsage(str(error)) from error
    return Telemetry()


def check_sdk() -> None:
    """Warn of spans that nobody makes, once the application is imported."""
    from longterm.telemetry import has_sdk

    if not has_sdk():
        logging.getLogger("longterm").warning(
            "OpenTelemetry is not set up, so no spans are made (put opentelemetry-instrument "
            "before the command, or set a tracer provider in a module that --app names)"
        )
