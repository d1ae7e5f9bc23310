"""What all tests of the training side need."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _no_tensorboard(monkeypatch):
    """Runs of the tests leave no drawings behind, whatever is installed."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
