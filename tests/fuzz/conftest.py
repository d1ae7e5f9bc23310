"""The fuzz's modules import each other, and the writers of archives, by name."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "datasets"), str(HERE.parent / "formats")]
