import numpy as np
import pytest

from poselift.errors import RecipeError
from poselift.measure.tally import AVERAGES, BatchMeans, Cell, Tally

WALK_1 = Cell("S9", "Walking", "Walking 1")
WALK = Cell("S9", "Walking", "Walking")
SIT = Cell("S9", "Sitting", "Sitting")
OTHER_WALK = Cell("S11", "Walking", "Walking")


def tally(average: str) -> Tally:
    """Two joints; 1 frame of Walking 1, 3 of Walking, 2 of Sitting, 4 of the other one's Walking."""
    made = Tally({"error": ("a", "b"), "never": ("a",)}, average)
    for cell, frames, error in ((WALK_1, 1, 10.0), (WALK, 3, 2.0), (SIT, 2, 7.0), (OTHER_WALK, 4, 1.0)):
        made.add(cell, "error", np.full((frames, 2), error) + (-1, 1))
    return made


@pytest.mark.parametrize(
    ("average", "result"),
    [
        ("frames", (10 + 6 + 14 + 4) / 10),
        ("actions", ((10 + 6 + 4) / 8 + 7) / 2),
        ("sequences", (10 + 2 + 7 + 1) / 4),
        ("subjects x actions", (16 / 4 + 7 + 1) / 3),
    ],
)
def test_averages_by_hand(average, result):
    made = tally(average)
    assert made.means() == {"error": pytest.approx(result)}
    assert made.per_joint()["error"] == {"a": pytest.approx(result - 1), "b": pytest.approx(result + 1)}
    assert made.table(lambda cell: "everything")["error"]["everything"] == pytest.approx(result)


def test_every_average_is_tested():
    assert set(AVERAGES) == {"frames", "actions", "sequences", "subjects x actions"}
    with pytest.raises(RecipeError, match="wanted average as one of"):
        Tally({}, "joints")


def test_a_table_s_parts_are_averaged_as_the_whole():
    subjects = tally("actions").table(lambda cell: cell.subject)["error"]
    assert subjects == {"S9": pytest.approx((16 / 4 + 7) / 2), "S11": pytest.approx(1)}
    assert list(subjects) == ["S9", "S11"]
    assert tally("frames").table(lambda cell: cell.subject)["error"]["S9"] == pytest.approx(30 / 6)
    assert tally("sequences").table(lambda cell: cell.action)["error"]["Walking"] == pytest.approx(13 / 3)


def test_two_cameras_of_a_recording_are_one_cell():
    made = Tally({"error": ("a",)}, "sequences")
    made.add(WALK, "error", np.full((1, 1), 4.0))
    made.add(WALK, "error", np.full((3, 1), 8.0))
    assert made.means() == {"error": 7}


def test_weights_stand_for_the_number_of_errors():
    made = Tally({"error": ("a",)}, "frames")
    made.add(WALK, "error", np.full((4, 1), 1.0), weight=5)
    made.add(SIT, "error", np.full((9, 1), 2.0), weight=10)
    made.add(SIT, "error", np.zeros((0, 1)), weight=1)
    assert made.means()["error"] == pytest.approx(25 / 15)


def batched(parts: list[tuple[Cell, np.ndarray]], size: int) -> Tally:
    made = Tally({"error": ("a", "b")}, "actions")
    batches = BatchMeans(made, "error", size)
    for cell, errors in parts:
        batches.add(cell, errors)
    batches.close()
    return made


def exact(parts: list[tuple[Cell, np.ndarray]]) -> Tally:
    made = Tally({"error": ("a", "b")}, "actions")
    for cell, errors in parts:
        made.add(cell, "error", errors)
    return made


@pytest.fixture
def parts() -> list[tuple[Cell, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [(cell, rng.random((frames, 2)) + i) for i, (cell, frames) in enumerate([(WALK, 6), (SIT, 4), (WALK_1, 5)])]


def test_batches_of_one_name_are_exact(parts):
    assert batched(parts, 2).per_joint()["error"] != exact(parts).per_joint()["error"]  # 15 = 6 + 4 + 5: the last mixes
    for size in (1, 2):
        homogeneous = [*parts[:2], (WALK_1, parts[2][1][:4])]
        for name, value in exact(homogeneous).per_joint()["error"].items():
            assert batched(homogeneous, size).per_joint()["error"][name] == pytest.approx(value, abs=1e-12)


def test_the_same_name_of_two_subjects_is_one_name():
    both = [(WALK, np.full((2, 2), 1.0)), (OTHER_WALK, np.full((2, 2), 3.0))]
    assert batched(both, 4).table(lambda cell: cell.subject)["error"] == {"S9": 1, "S11": 3}


def test_a_mixed_batch_credits_its_mean_to_each_frame(parts):
    by_action = batched(parts, 8).table(lambda cell: cell.action)["error"]
    rows = np.concatenate([errors for _, errors in parts]).mean(1)
    first, second = rows[:8].mean(), rows[8:].mean()  # Walking 6, Sitting 2 | Sitting 2, Walking 1 5
    assert by_action["Walking"] == pytest.approx((6 * first + 5 * second) / 11)
    assert by_action["Sitting"] == pytest.approx((first + second) / 2)
    assert by_action != pytest.approx(exact(parts).table(lambda cell: cell.action)["error"])
    everything = [Tally.table(made, lambda cell: "all")["error"] for made in (batched(parts, 8), exact(parts))]
    assert everything[0]["all"] != pytest.approx(everything[1]["all"])


def test_batches_leave_the_mean_over_all_frames_as_it_is(parts):
    means = []
    for size in (1, 4, 8, 100):
        made = Tally({"error": ("a", "b")}, "frames")
        batches = BatchMeans(made, "error", size)
        for cell, errors in parts:
            batches.add(cell, errors)
        batches.close()
        means.append(made.means()["error"])
    np.testing.assert_allclose(means, means[0], atol=1e-12)


def test_two_recordings_of_an_action_are_two_names():
    both = [(WALK, np.full((2, 2), 1.0)), (WALK_1, np.full((2, 2), 3.0))]
    assert batched(both, 4).table(lambda cell: cell.sequence)["error"] == {"Walking": 2, "Walking 1": 2}
