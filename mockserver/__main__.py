"""`python -m mockserver` is `inferneo-mock`."""

import sys

from mockserver.cli import main

sys.exit(main())
