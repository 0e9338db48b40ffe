"""`python -m tracking` is `sgtrack`."""

import sys

from tracking.cli import main

sys.exit(main())
