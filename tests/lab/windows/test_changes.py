"""Changes of bodies: feet and heads keep their shape, and labels say what is still known."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.lab.windows.changes import Changes, Labels
from poselift.lab.windows.config import DataConfig
from poselift.skeleton import BODY_27, H36M_17

NOTHING = DataConfig(bone_scale=0, mirror=False, mix=0, turn=0, bend=0)
FOOT, HEAD = ("heel", "big_toe", "small_toe"), ("head_top", "left_eye", "right_eye", "left_ear", "right_ear")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_of(person, size=8, frames=5):
    """Windows (B, T, 27, 3) of people who tremble, everything of whom is known."""
    noise = torch.randn((size, frames, 27, 3), generator=generator(9)) * 0.01
    labels = Labels(
        torch.ones((size, 27), dtype=torch.bool),
        torch.ones((size, 27), dtype=torch.bool),
        torch.ones((size, frames, 4)),
    )
    return torch.from_numpy(person) + noise, labels


def drawn(config, size=8, seed=0):
    return Changes.draw(size, BODY_27, config, generator(seed))


def within(world, names):
    """Distances (B, T, N, N) between some joints."""
    points = world[:, :, list(BODY_27.indices(names))]
    return torch.cdist(points, points)


def test_without_changes_nothing_changes(person):
    world, labels = batch_of(person)
    changes = drawn(NOTHING)
    torch.testing.assert_close(changes.bodies(world), world, rtol=0, atol=1e-5)
    after = changes.labels(labels)
    assert after.there.all() and after.trusted.all() and (after.contact == 1).all()


@pytest.mark.parametrize("part", ["left_foot", "right_foot", "head"])
def test_feet_and_heads_are_turned_as_a_whole(person, part):
    names = ("nose", *HEAD) if part == "head" else [f"{part.split('_')[0]}_{end}" for end in ("ankle", *FOOT)]
    world, _ = batch_of(person)
    after = drawn(dataclasses.replace(NOTHING, turn=1, turn_rad=0.4, mirror=True, bend=1)).bodies(world)
    changed = drawn(dataclasses.replace(NOTHING, turn=1, turn_rad=0.4, bend=1))
    torch.testing.assert_close(within(changed.bodies(world), names), within(world, names), rtol=0, atol=1e-4)
    assert (changed.bodies(world) - world)[:, :, list(BODY_27.indices(names[1:]))].norm(dim=-1).max() > 0.1
    assert after.shape == world.shape


@pytest.mark.parametrize("part", ["left_foot", "right_foot", "head"])
def test_feet_and_heads_are_scaled_as_a_whole(person, part):
    names = ("nose", *HEAD) if part == "head" else [f"{part.split('_')[0]}_{end}" for end in ("ankle", *FOOT)]
    world, _ = batch_of(person)
    ratio = within(drawn(dataclasses.replace(NOTHING, bone_scale=0.2)).bodies(world), names) / within(world, names)
    off = ~torch.eye(len(names), dtype=torch.bool)
    factors = ratio[:, :, off]
    torch.testing.assert_close(factors, factors[:, :1, :1].expand_as(factors), rtol=0, atol=1e-3)
    assert factors[:, 0, 0].std() > 0.03


def test_feet_grow_with_the_leg():
    factors = drawn(dataclasses.replace(NOTHING, bone_scale=0.1), size=4000).factors.log()
    knee, ankle, heel, root = (
        factors[:, BODY_27.index(name)] for name in ("left_knee", "left_ankle", "left_heel", "pelvis")
    )
    leg = (knee + ankle) / 2
    assert torch.corrcoef(torch.stack([leg, heel]))[0, 1] == pytest.approx(2**0.5 / 3**0.5, abs=0.03)
    torch.testing.assert_close(root, leg)  # the path is as long as the legs make it


def test_joints_are_as_well_known_as_the_limb_they_come_from(person):
    world, labels = batch_of(person, 6)
    feet = [f"{side}_{end}" for side in ("left", "right") for end in FOOT]
    labels.there[0] = labels.trusted[0] = False
    changes = drawn(dataclasses.replace(NOTHING, mix=1), 6, seed=2)
    after = changes.labels(labels)
    for side, place in (("left", 0), ("right", 1)):
        own = [f"{side}_{end}" for end in ("knee", "ankle", *FOOT)]
        taken = changes.legs[:, place]
        known = after.there[:, list(BODY_27.indices(own))]
        wanted = torch.arange(6) != 0  # its own leg is not known
        wanted = torch.where(taken, wanted.roll(1), wanted)
        assert torch.equal(known, wanted[:, None].expand_as(known))
    assert not after.there[0, BODY_27.index("pelvis")] and after.there[1:, BODY_27.index("pelvis")].all()
    mixed = changes.bodies(world)
    right = list(BODY_27.indices(feet))
    legs = changes.legs[1]
    lengths = (mixed[1] - world[0])[:, right].norm(dim=-1).mean() if legs.all() else torch.tensor(0.0)
    assert lengths < 0.3


def test_contacts_do_not_outlast_another_motion_of_the_leg(person):
    _, labels = batch_of(person, 64)
    mixed = drawn(dataclasses.replace(NOTHING, mix=0.5), 64)
    after = mixed.labels(labels).contact
    for side in (0, 1):
        assert (after[mixed.legs[:, side]][..., 2 * side : 2 * side + 2] == -1).all()
        assert (after[~mixed.legs[:, side]][..., 2 * side : 2 * side + 2] == 1).all()
    turned = drawn(dataclasses.replace(NOTHING, turn=0.5), 64)
    is_turned = (turned.turns != 0).any(-1).any(-1)
    after = turned.labels(labels).contact
    assert 10 < is_turned.sum() < 54
    assert (after[is_turned] == -1).all() and (after[~is_turned] == 1).all()


def test_a_mirror_exchanges_what_is_known_of_the_sides(person):
    _, labels = batch_of(person, 40)
    labels.contact[:] = torch.tensor([1.0, 0, -1, -1])
    labels.there[:, BODY_27.index("left_heel")] = False
    changes = drawn(dataclasses.replace(NOTHING, mirror=True), 40)
    after, mirrored = changes.labels(labels), changes.mirrored
    assert 5 < mirrored.sum() < 35
    assert (after.contact[mirrored] == torch.tensor([-1.0, -1, 1, 0])).all()
    assert (after.contact[~mirrored] == torch.tensor([1.0, 0, -1, -1])).all()
    assert torch.equal(after.there[:, BODY_27.index("left_heel")], mirrored)
    assert torch.equal(after.there[:, BODY_27.index("right_heel")], ~mirrored)


def test_bodies_of_17_joints_are_changed_as_before():
    """The draws of weights that were trained before there were feet: each bone by itself, and no head or foot turns."""
    config = dataclasses.replace(NOTHING, bone_scale=0.1, turn=1)
    changes = Changes.draw(50, H36M_17, config, generator())
    moved = (changes.turns != 0).any(-1).all(0)
    limbs = {"knee", "ankle", "elbow", "wrist"}
    assert moved.tolist() == [name.split("_")[-1] in limbs for name in H36M_17.joints]
    logs = changes.factors.log()
    correlation = np.corrcoef(logs[:, [H36M_17.index("head_top"), H36M_17.index("nose"), 2, 3]].T.numpy())
    assert abs(correlation[np.triu_indices(4, 1)]).max() < 0.4
