"""Run `python -m longterm.cli`."""

import sys

from longterm.cli import main

sys.exit(main())
