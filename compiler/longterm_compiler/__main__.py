"""Run the command line: `python -m longterm_compiler` is `longterm-compile`."""

import sys

from longterm_compiler.cli import main

if __name__ == "__main__":
    sys.exit(main())
