import json

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from poselift.errors import CheckpointError, OutputError, OutputExistsError
from poselift.lab.export import onnx as export
from poselift.lab.export.card import card_of, sizes
from poselift.lab.export.forms import example
from poselift.lab.export.half import store_half
from poselift.lab.models import build
from poselift.lab.models.extras import HIDDEN
from poselift.lifters.onnx import OnnxLifter
from poselift.lifting import lift
from poselift.sequence import Keypoints2D
from poselift.skeleton import H36M_17

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
    model = trained("htnet", **HTNET | {"width": 144})
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


MORE = {"spread": True, "up": True, "contact": True}


def test_all_that_a_lifter_gives_goes_from_torch_to_poses(tmp_path):
    """Through the file, in full and in half precision, to a clip of another rate."""
    model = trained("htnet", **HTNET | {"width": 72, "in_channels": 3} | MORE).eval()
    export.export_onnx(model, tmp_path / "exact.onnx")
    store_half(tmp_path / "exact.onnx", tmp_path / "half.onnx")
    xy = np.random.default_rng(0).normal(size=(9, 17, 2)) * 100
    windows = example(model, 5)
    wanted = {name: value.detach().numpy() for name, value in model.answer(windows).items()}
    for name, tolerance in (("exact", 1e-5), ("half", 2e-3)):
        card_of(model, "htnet.tiny").write(tmp_path / f"{name}.json")
        lifter = OnnxLifter(tmp_path / f"{name}.onnx")
        assert lifter.outputs == ("joints", "spread", "up", "contact")
        found = lifter.answer(windows.numpy())
        assert list(found) == list(wanted)
        for part, value in found.items():
            np.testing.assert_allclose(value, wanted[part], rtol=0, atol=tolerance, err_msg=f"{name} {part}")
        np.testing.assert_array_equal(lifter(windows.numpy()), found["joints"])
        poses = lift(Keypoints2D(xy, None, H36M_17, 30.0), lifter, flip_average=True, check=False)
        assert poses.spread[:, 1:].min() > 0 and (poses.spread[:, 0] == 0).all()
        assert np.ptp(poses.contact, axis=0).max() > 0 and poses.radius(0.9).shape == (9, 17)
        np.testing.assert_allclose(np.linalg.norm(poses.up, axis=1), 1, atol=1e-5)


def test_macs_count_all_that_is_computed():
    joints, whole = (build("htnet", **HTNET, **more) for more in ({}, MORE))
    added = sizes(whole)["macs"] - sizes(joints)["macs"]
    assert added == 17 * HTNET["width"] * HIDDEN + HIDDEN * (17 + 3 + 4)


def test_a_file_whose_outputs_do_not_fit_its_card(tmp_path):
    export.export_onnx(trained("htnet", **HTNET | MORE), tmp_path / "lifter.onnx")
    network = onnx.load(tmp_path / "lifter.onnx")
    for old, new, message in (
        ("contact", "up", r"to up \[1, 3\], the network gives \[1, 4\]"),
        ("joints", "points", "wanted one input and one output, or several with one called joints"),
    ):
        changed = onnx.ModelProto()
        changed.CopyFrom(network)
        kept = [output for output in changed.graph.output if output.name != new]
        del changed.graph.output[:]
        changed.graph.output.extend(kept)
        for node in changed.graph.node:
            for names in (node.input, node.output):
                renamed = [f"{new}.old" if name == new else new if name == old else name for name in names]
                del names[:]
                names.extend(renamed)
        next(output for output in changed.graph.output if output.name == old).name = new
        onnx.save(changed, tmp_path / "changed.onnx")
        card_of(trained("htnet", **HTNET), "htnet.tiny").write(tmp_path / "changed.json", overwrite=True)
        with pytest.raises(CheckpointError, match=message):
            OnnxLifter(tmp_path / "changed.onnx")
