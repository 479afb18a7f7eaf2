"""``python -m tinygrad_sp``: see `tinygrad_sp.cli`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
