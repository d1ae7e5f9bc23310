import re

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


SMALL = {
    "posessm": {"width": 32, "num_blocks": 2, "in_channels": 3},
    "htnet": {"width": 48, "mlp_width": 32, "gcn_width": 24, "num_blocks": 1, "in_channels": 3},
    "convformer": {"width": 8, "heads": 4, "in_frames": 9, "in_channels": 3, "kernels": (3, 5)},
    "nanohtnet": NANO,
}


@pytest.mark.parametrize("name", SMALL)
def test_every_family_starts_from_weights_of_17_joints(name, tmp_path):
    torch.manual_seed(0)
    old = build(name, **SMALL[name]).eval()
    new = build(name, **SMALL[name], skeleton="BODY_27", spread=True, up=True).eval()
    with torch.no_grad():
        for weights in old.parameters():
            weights += 0.1 * torch.randn_like(weights)  # no two joints alike
    save_weights(old, tmp_path / "old.safetensors", lifter=name, config=SMALL[name], overwrite=False)
    load_initial(new, tmp_path / "old.safetensors")
    before, after = old.state_dict(), new.state_dict()
    heel, ankle = BODY_27.index("left_heel"), BODY_27.index("left_ankle")
    seen = 0
    for pattern, (axis, copied) in new.joint_axes.items():
        for key in [key for key in before if re.fullmatch(pattern.split("#")[0], key)]:
            if key.endswith("_map"):  # by scan position
                there, here = (torch.tensor(body.topological).argsort() for body in (H36M_17, BODY_27))
                olds, rows = before[key][:, there], after[key][:, here]
            else:
                olds, rows = (x[key].unflatten(axis, (len(j), -1)) for x, j in ((before, H36M_17), (after, BODY_27)))
            second_too = any(p.endswith("#2") and re.fullmatch(p[:-2], key) for p in new.joint_axes)
            if copied and not second_too:  # no second axis that puts zeros where a new joint's input would count
                assert torch.equal(rows.narrow(axis, 0, 17), olds)
                assert torch.equal(rows.select(axis, heel), rows.select(axis, ankle))
            elif not copied:
                assert not rows.select(axis, heel).any()
            seen += 1
    assert seen == len([key for key in before if before[key].shape != after[key].shape]) + sum(
        before[key].shape != after[key].shape for key in before for pattern in new.joint_axes
        if pattern.endswith("#2") and re.fullmatch(pattern[:-2], key)
    )  # fmt: skip
    assert all(torch.equal(before[key], after[key]) for key in before if before[key].shape == after[key].shape)


def test_weights_of_more_joints_lose_those_that_are_too_many(tmp_path):
    old, new = build("posessm", skeleton="BODY_27", **SMALL["posessm"]), build("posessm", **SMALL["posessm"])
    save_weights(old, tmp_path / "old.safetensors", lifter="posessm",
        config=SMALL["posessm"] | {"skeleton": "BODY_27"}, overwrite=False)  # fmt: skip
    load_initial(new, tmp_path / "old.safetensors")
    assert torch.equal(new.blocks[0].attention.position, old.blocks[0].attention.position[:, :17])
