import math

import pytest

torch = pytest.importorskip("torch")

from poselift.lab.observe import cameras
from poselift.lab.observe.cameras import CameraConfig, look_at, project, view

UP = torch.tensor([0.0, 0, 1])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def moving(batch, body, seed=0, speed=0.0):
    """(B, 9, 17, 3) bodies that cross `speed` metres a frame along x."""
    frames = torch.arange(9)[:, None] * torch.tensor([speed, 0, 0])
    return (torch.from_numpy(body) + frames[:, None] + torch.randn(batch, 1, 1, 3, generator=generator(seed))).float()


def assert_rotations(matrices):
    assert matrices.shape[1:] == (3, 3)
    unit = torch.eye(3).expand(len(matrices), 3, 3)
    torch.testing.assert_close(matrices @ matrices.transpose(1, 2), unit, rtol=0, atol=2e-6)
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(len(matrices)), rtol=0, atol=2e-6)


def test_assert_rotations_notices_a_mirror():
    with pytest.raises(AssertionError):
        assert_rotations(torch.diag(torch.tensor([-1.0, 1, 1]))[None])


def test_look_at_literals():
    # At y = -5, looking along +y: the world's x is right, z is up in the picture, y is depth.
    position, target = torch.tensor([[0.0, -5, 1]]), torch.tensor([[0.0, 0, 1]])
    expected = torch.tensor([[[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]])
    torch.testing.assert_close(look_at(position, target, torch.zeros(1)), expected)
    # A camera that rolls a quarter turn to the right has its right where down was.
    rolled = torch.tensor([[[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]]])
    torch.testing.assert_close(look_at(position, target, torch.tensor([math.pi / 2])), rolled, rtol=0, atol=1e-6)


def test_look_at_gives_rotations_that_look_at_the_target():
    position, target = 3 * torch.randn(50, 3, generator=generator()), torch.randn(50, 3, generator=generator(1))
    rotation = look_at(position, target, torch.randn(50, generator=generator(2)))
    assert_rotations(rotation)
    seen = (rotation @ (target - position)[..., None])[..., 0]
    expected = torch.stack([torch.zeros(50), torch.zeros(50), (target - position).norm(dim=-1)], -1)
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-5)


def test_look_at_is_the_front_s(body):
    from poselift.geometry.camera import look_at as front

    position, target, roll = torch.tensor([3.0, -2, 1.5]), torch.tensor([0.2, 0.1, 0.9]), 0.3
    rotation = look_at(position[None], target[None], torch.tensor([roll]))[0]
    torch.testing.assert_close(rotation.double(), torch.from_numpy(front(position.numpy(), target.numpy(), roll)[0]))


def test_without_aim_the_person_stands_at_the_centre(body):
    points, turn, _ = view(moving(32, body, speed=0.02), 0, CameraConfig(aim_rad=0), generator())
    torch.testing.assert_close(turn, torch.eye(3).expand(32, 3, 3))
    torch.testing.assert_close(points[:, :, 0, :2].mean(1), torch.zeros(32, 2), rtol=0, atol=1e-5)


def test_the_aim_moves_the_person_and_turning_undoes_it(body):
    points, turn, _ = view(moving(64, body, speed=0.02), 0, CameraConfig(), generator())
    assert_rotations(turn)
    assert (project(points[:, :, 0].mean(1)).abs().amax(0) > 0.1).all()
    straight = points @ turn.transpose(1, 2)[:, None]
    torch.testing.assert_close(straight[:, :, 0, :2].mean(1), torch.zeros(64, 2), rtol=0, atol=1e-5)
    assert (straight[:, :, 0, 2].mean(1) > 0).all()


def test_the_aim_turns_but_does_not_roll():
    turn = cameras._pan_and_tilt(torch.tensor([[0.1, 0.0], [0.0, 0.1]]))
    person = torch.tensor([0.0, 0, 1]) @ turn
    expected = torch.tensor([[-math.sin(0.1), 0, math.cos(0.1)], [0, math.sin(0.1), math.cos(0.1)]])
    torch.testing.assert_close(person, expected)
    torch.testing.assert_close(turn[0, 1], torch.tensor([0.0, 1, 0]))
    torch.testing.assert_close(turn[1, 0], torch.tensor([1.0, 0, 0]))


def test_views_are_rigid_and_not_mirrored(body):
    world = moving(32, body, speed=0.05)
    points, *_ = view(world, 0, CameraConfig(), generator())
    torch.testing.assert_close(torch.cdist(points, points), torch.cdist(world, world), rtol=0, atol=2e-3)

    def volume(xyz):
        pelvis, left, head, knee = (xyz[:, 0, joint] for joint in (0, 4, 10, 5))
        return torch.linalg.det(torch.stack([left - pelvis, head - pelvis, knee - pelvis], 1))

    torch.testing.assert_close(volume(points), volume(world), rtol=0, atol=1e-4)


def test_world_up_goes_up_in_the_picture(body):
    world = torch.stack([torch.zeros(3), UP])[None, None].repeat(200, 3, 1, 1)
    points, *_ = view(world, 0, CameraConfig(), generator())
    assert (points[:, 0, 1, 1] < points[:, 0, 0, 1] - 0.3).all()
    higher = CameraConfig(elevation_rad=(0.5, 0.0), roll_rad=0, aim_rad=0)
    points, *_ = view(world, 0, higher, generator())
    rise = points[:, 0, 1] - points[:, 0, 0]
    # From a camera that looks down, what is higher is also nearer.
    expected = torch.tensor([0, -math.cos(0.5), -math.sin(0.5)]).expand(200, 3)
    torch.testing.assert_close(rise, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("speed", [0.0, 0.3])
def test_everything_is_in_front_at_the_distances_asked_for(body, speed):
    config = CameraConfig()
    for seed in range(20):
        world = moving(64, body, seed, speed)
        points, turn, _ = view(world, 0, config, generator(seed))
        assert points[..., 2].min() > 0.1
        distance = (points @ turn.transpose(1, 2)[:, None])[:, :, 0].mean(1).norm(dim=-1)
        centre = world[:, :, :1].mean(1, keepdim=True)
        extra = ((world - centre).norm(dim=-1).amax((1, 2)) - 1).clip(min=0)
        assert (distance - extra > config.distance[0] - 1e-4).all()
        assert (distance - extra < config.distance[1] + 1e-4).all()
    assert (distance - extra).std() > 1


def test_elevations_keep_to_their_limits_and_azimuths_go_all_around():
    world = torch.zeros(4000, 1, 1, 3)
    config = CameraConfig(elevation_rad=(0.17, 2.0), elevation_limits_rad=(-0.2, 0.9), roll_rad=0, aim_rad=0)
    world = torch.cat([world, world + UP, world + torch.tensor([1.0, 0, 0])], 2)
    points, *_ = view(world, 0, config, generator())
    axes = points[:, 0, 1:] - points[:, 0, :1]
    elevation = torch.asin(-axes[:, 0, 2])
    torch.testing.assert_close((elevation.min().item(), elevation.max().item()), (-0.2, 0.9), rtol=0, atol=1e-5)
    azimuth = torch.atan2(axes[:, 1, 0], axes[:, 1, 2])
    shares = torch.histc(azimuth, 8, -math.pi, math.pi) / 4000
    assert (shares - 1 / 8).abs().max() < 0.03


def test_the_same_seed_gives_the_same_cameras(body):
    world = moving(4, body)
    again = [view(world, 0, CameraConfig(), generator(seed))[0] for seed in (3, 3, 4)]
    assert torch.equal(again[0], again[1])
    assert not torch.equal(again[0], again[2])


def test_project_literals():
    points = torch.tensor([[1.0, -2, 4], [0.3, 0.1, 1], [0.02, 0.01, 0.05], [0.02, 0.01, -1]])
    expected = torch.tensor([[0.25, -0.5], [0.3, 0.1], [0.2, 0.1], [0.2, 0.1]])
    torch.testing.assert_close(project(points), expected)
