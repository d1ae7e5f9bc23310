import dataclasses

import pytest

from poselift.errors import RecipeError, SkeletonError
from poselift.measure.protocols import MOTIONBERT_DROPS, PROTOCOLS, BenchmarkProtocol, motionbert, p_stmo_3dhp, posessm
from poselift.skeleton import COCO_17, H36M_17, HUMANEVA_15, MPI_INF_3DHP_17

QUIET = {"checkpoint": "not on test", "scale": "none", "drop": (), "p_mpjpe": "each frame"}


def quiet(protocol: BenchmarkProtocol) -> dict:
    return {name: getattr(protocol, name) for name in QUIET}


def test_what_papers_do_quietly_is_off_by_default():
    assert quiet(BenchmarkProtocol()) == QUIET
    for name, made in PROTOCOLS.items():
        assert quiet(made()) == QUIET, name


def test_and_can_be_switched_on():
    published = [made(as_published=True) for made in PROTOCOLS.values() if made.__code__.co_kwonlyargcount]
    assert len(published) == 6
    for protocol in published:
        assert protocol.checkpoint == "best on test"
    assert (posessm(as_published=True).p_mpjpe, posessm(as_published=True).batch) == ("mean of batch", 512)
    assert PROTOCOLS["nanohtnet"](as_published=True).batch == 256
    theirs = motionbert(as_published=True)
    assert (theirs.scale, theirs.drop) == ("oracle", MOTIONBERT_DROPS)
    assert len(MOTIONBERT_DROPS) == 3


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("videopose3d", ("centre", True, "as predicted", "actions", "frames", "scored")),
        ("convformer", ("centre", True, "as predicted", "actions", "frames", "scored")),
        ("mixste", ("clips", True, "as predicted", "actions", "frames", "scored")),
        ("posessm", ("centre", True, "zeroed", "actions", "steps", "scored")),
        ("htnet", ("centre", True, "zeroed", "actions", "steps", "scored")),
        ("nanohtnet", ("centre", True, "zeroed", "actions", "steps", "scored")),
        ("motionbert", ("clips", True, "moved", "actions", "steps", "scored")),
        ("p_stmo_3dhp", ("centre", True, "zeroed", "sequences", "steps", "fourteen")),
        ("posessm_3dhp", ("centre", True, "zeroed", "frames", "steps", "scored")),
        ("humaneva", ("centre", True, "as predicted", "subjects x actions", "frames", "scored")),
        ("humaneva_nanohtnet", ("centre", True, "zeroed", "subjects x actions", "steps", "scored")),
    ],
)
def test_named_protocols(name, choices):
    p = PROTOCOLS[name]()
    assert (p.frames, p.flip_average, p.root, p.average, p.velocity_weight, p.pck_joints) == choices
    assert "Source:" in PROTOCOLS[name].__doc__ or "as" in PROTOCOLS[name].__doc__


def test_every_named_protocol_is_tested():
    (mark,) = [m for m in test_named_protocols.pytestmark if m.name == "parametrize"]
    assert [name for name, _ in mark.args[1]] == list(PROTOCOLS)


def test_joints_that_are_scored():
    assert BenchmarkProtocol().scored_joints(H36M_17) == H36M_17.joints
    assert BenchmarkProtocol(root="left out").scored_joints(H36M_17) == H36M_17.joints[1:]
    some = BenchmarkProtocol(joints=("left_wrist", "pelvis", "right_wrist", "nose"))
    assert some.scored_joints(H36M_17) == ("pelvis", "nose", "left_wrist", "right_wrist")
    left = dataclasses.replace(some, root="left out")
    assert left.scored_joints(H36M_17) == ("nose", "left_wrist", "right_wrist")
    with pytest.raises(SkeletonError, match="no joint 'nose'"):
        some.scored_joints(HUMANEVA_15)
    for few in (("pelvis", "nose"), ("nose", "pelvis", "nose", "spine")):
        with pytest.raises(RecipeError, match="three or more joints"):
            BenchmarkProtocol(joints=few).scored_joints(H36M_17)


def test_the_fourteen_joints_of_3dhp_in_its_own_order_and_in_human36m_s():
    own = p_stmo_3dhp().correct_joints(MPI_INF_3DHP_17)
    assert [MPI_INF_3DHP_17.index(name) for name in own] == list(range(14))
    other = p_stmo_3dhp().correct_joints(H36M_17)
    assert sorted(set(H36M_17.joints) - set(other)) == ["nose", "pelvis", "spine"]
    assert BenchmarkProtocol().correct_joints(H36M_17) == H36M_17.joints
    for lacking in (COCO_17, HUMANEVA_15):
        with pytest.raises(SkeletonError, match="fourteen"):
            p_stmo_3dhp().correct_joints(lacking)


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": "center"}, {"root": "zero"}, {"scale": "yes"}, {"average": "action"}, {"p_mpjpe": "batch"},
        {"velocity_weight": ""}, {"pck_joints": "14"}, {"auc_thresholds": "31"}, {"checkpoint": "best"},
    ],
)  # fmt: skip
def test_choices_that_do_not_exist_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(RecipeError, match=f"wanted {name} as one of '.*got '"):
        BenchmarkProtocol(**wrong)


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"pck_threshold_mm": 0}, {"pck_threshold_mm": float("nan")}])
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(RecipeError, match="above 0"):
        BenchmarkProtocol(**wrong)
