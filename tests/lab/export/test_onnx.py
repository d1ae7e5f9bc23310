import json

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from poselift.errors import OutputError, OutputExistsError
from poselift.lab.export import onnx as export
from poselift.lab.models import build

NANO = {"in_frames": 27, "keep_frames": 3, "width": 48, "mlp_width": 16, "gcn_width": 16, "num_blocks": 1}
HTNET = {"width": 24, "mlp_width": 16, "gcn_width": 16, "num_blocks": 1}


def trained(name, **config):
    """A lifter whose weights are all away from where they start."""
    torch.manual_seed(0)
    model = build(name, **config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize(
    ("name", "config"),
    [("nanohtnet", NANO | {"in_channels": 3, "dct": "ortho", "inverse_dct": True}), ("htnet", HTNET)],
    ids=["nanohtnet", "htnet"],
)
def test_onnx_equals_torch_at_any_batch(name, config, tmp_path, capfd):
    model = trained(name, **config)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    export.export_onnx(model, tmp_path / "lifter.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["lifter.onnx"]
    assert capfd.readouterr() == ("", "")
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())

    session = onnxruntime.InferenceSession(tmp_path / "lifter.onnx")
    assert [(i.name, i.type, i.shape[1:]) for i in session.get_inputs()] == [
        ("keypoints", "tensor(float)", [model.in_frames, 17, model.in_channels])
    ]
    assert [(o.name, o.shape[1:]) for o in session.get_outputs()] == [("joints", [len(model.out_frames), 17, 3])]
    model.eval()
    for batch in (1, 2, 7):
        x = np.random.default_rng(batch).normal(size=(batch, model.in_frames, 17, model.in_channels)).astype("f4")
        (joints,) = session.run(None, {"keypoints": x})
        np.testing.assert_allclose(joints, model(torch.from_numpy(x)).detach().numpy(), rtol=0, atol=1e-5)
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["out_frames"]) == list(model.out_frames)
    assert properties["skeleton"] == "H36M_17"


def test_half_precision_is_a_choice_and_is_checked(tmp_path, monkeypatch):
    model = trained("htnet", **HTNET | {"width": 72})
    export.export_onnx(model, tmp_path / "exact.onnx")
    export.export_onnx(model, tmp_path / "half.onnx", half=True)
    assert (tmp_path / "half.onnx").stat().st_size < 0.8 * (tmp_path / "exact.onnx").stat().st_size
    x = export.example(model, 3)
    joints = onnxruntime.InferenceSession(tmp_path / "half.onnx").run(None, {"keypoints": x.numpy()})[0]
    error = np.abs(joints - model.eval()(x).detach().numpy()).max()
    assert export.TOLERANCE < error < export.HALF_TOLERANCE
    monkeypatch.setattr(export, "HALF_TOLERANCE", 2e-5)
    with pytest.raises(OutputError, match="differs from torch by .* more than 2e-05; .* leave out half"):
        export.export_onnx(model, tmp_path / "other.onnx", half=True)
    assert not (tmp_path / "other.onnx").exists()


def test_a_file_does_not_tell_where_it_was_made(tmp_path):
    export.export_onnx(trained("htnet", **HTNET), tmp_path / "lifter.onnx")
    content = (tmp_path / "lifter.onnx").read_bytes()
    assert b"site-packages" not in content and b".py" not in content


def test_an_existing_file_is_kept(tmp_path):
    path = tmp_path / "lifter.onnx"
    path.write_text("mine")
    with pytest.raises(OutputExistsError):
        export.export_onnx(trained("htnet", **HTNET), path)
    assert path.read_text() == "mine"


def test_a_file_that_computes_something_else_is_not_written(tmp_path, monkeypatch):
    fold = export.fold

    def slightly_off(model):
        folded = fold(model)
        folded.head.bias += 3e-5
        return folded

    monkeypatch.setattr(export, "fold", slightly_off)
    with pytest.raises(OutputError, match=r"differs from torch by (3\.0|2\.9)e-05 at batch 1"):
        export.export_onnx(trained("htnet", **HTNET), tmp_path / "lifter.onnx")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "lifter.onnx"
    model = trained("htnet", **HTNET)
    with torch.no_grad():
        model.head.weight[0, 0] = torch.nan
    monkeypatch.setattr(export, "_write", lambda *_: pytest.fail("exported before looking at the weights"))
    with pytest.raises(OutputError, match="not finite: head.weight"):
        export.export_onnx(model, path)
    assert list(tmp_path.iterdir()) == []
