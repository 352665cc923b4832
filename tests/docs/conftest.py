"""The package that makes the site is beside the pages; tests read them with it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
