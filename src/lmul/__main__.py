"""`python -m lmul`: the command line."""

import sys

from lmul.cli import main

sys.exit(main())
