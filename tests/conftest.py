"""Fixtures for all tests. Data that users do not have lies beside the repository; tests that need it skip without."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("POSELIFT_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and parity fixtures, or a skip that says where it was looked for."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real data and fixtures are not at {SHARED}")
    return SHARED
