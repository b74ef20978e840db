"""A module whose import is noticed."""

import os

os.environ["LONGTERM_TEST_IMPORTED_ON_SIGHT"] = "yes"


class Thing:
    """A class that is only here."""
