"""What the tests of single models share."""

import pytest


@pytest.fixture
def reference_fixture(shared):
    """Reads one parity fixture: its tensors, and the authors' weights under their own names."""
    safetensors = pytest.importorskip("safetensors.torch")

    def read(name):
        tensors = safetensors.load_file(shared / "fixtures" / f"{name}.safetensors")
        return tensors, {key[3:]: value for key, value in tensors.items() if key.startswith("sd.")}

    return read


@pytest.fixture
def as_reference():
    """Writes a model's weights as the authors' code would."""
    from poselift.lab.models import LIFTERS

    def write(name, model):
        reference = LIFTERS[name].reference
        return {reference.name(key): reference.restore(key, value) for key, value in model.state_dict().items()}

    return write


@pytest.fixture(scope="session")
def randomized():
    """Moves a module's weights away from where they start, and makes it exact and deterministic."""
    import torch

    def change(module):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        return module.double().eval()

    return change
