import pytest

torch = pytest.importorskip("torch")

from poselift.errors import CheckpointError
from poselift.lab.export.forms import example
from poselift.lab.export.weights import load_initial, save_weights
from poselift.lab.models import build
from poselift.lab.models.joints import for_joints
from poselift.skeleton import BODY_27, H36M_17, Skeleton

NANO = {"in_frames": 9, "keep_frames": 3, "width": 48, "mlp_width": 32, "gcn_width": 24, "in_channels": 3}
NANO |= {"num_blocks": 2, "dct": "ortho", "inverse_dct": True, "skip": True}
SHORT = Skeleton("SHORT", ("pelvis", "knee"), (-1, 0))
LONG = Skeleton("LONG", ("heel", "knee", "pelvis"), (1, 2, -1))


def test_new_joints_start_as_the_joint_above_or_at_zero():
    weights = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[1.0, 10, 2, 20]]), "c": torch.tensor([5.0])}
    made = for_joints(weights, SHORT, LONG, {"a": (0, True), "b": (1, False)})
    assert made["a"].tolist() == [2, 2, 1]
    assert made["b"].tolist() == [[0, 0, 2, 20, 1, 10]]
    assert made["c"].tolist() == [5]


def test_both_axes_of_a_graph_are_put_in_order():
    graph = torch.tensor([[1.0, 2], [3, 4]])
    made = for_joints({"g": graph}, SHORT, LONG, {"g": (0, False), "g#2": (1, False)})["g"]
    assert made.tolist() == [[0, 0, 0], [0, 4, 3], [0, 2, 1]]


def test_a_joint_without_one_above_is_refused():
    other = Skeleton("OTHER", ("hand", "pelvis"), (-1, 0))
    with pytest.raises(CheckpointError, match="neither hand nor a joint above it"):
        for_joints({}, SHORT, other, {})


def test_a_body_of_27_joints_starts_from_weights_of_17(tmp_path):
    torch.manual_seed(0)
    old, new = build("nanohtnet", **NANO), build("nanohtnet", **NANO, skeleton="BODY_27", up=True).eval()
    save_weights(old, tmp_path / "old.safetensors", lifter="nanohtnet", config=NANO, overwrite=False)
    load_initial(new, tmp_path / "old.safetensors")
    wrist, ankle = BODY_27.index("left_wrist"), BODY_27.index("left_ankle")
    for name in ("spatial_position", "temporal_out.weight"):
        axis = 1 if "position" in name else 0
        rows, olds = (m.state_dict()[name].unflatten(axis, (len(m.skeleton), -1)) for m in (new, old))
        assert torch.equal(rows.select(axis, wrist), olds.select(axis, H36M_17.index("left_wrist")))
        assert torch.equal(rows.select(axis, BODY_27.index("left_heel")), rows.select(axis, ankle))
    x = example(new, 2)
    changed = x.clone()
    changed[:, :, 17:] += 1
    frequencies = new._encode_frequencies
    assert torch.equal(frequencies(x), frequencies(changed))  # the new joints' input does not count yet
    assert not torch.equal(frequencies(x), frequencies(x + 1))
