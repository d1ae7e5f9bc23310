"""`python -m poselift`."""

import sys

from poselift.cli import main

sys.exit(main())
