import pytest

torch = pytest.importorskip("torch")

from poselift.errors import CheckpointError  # noqa: E402
from poselift.lab.folder import RunFolder, random_state, restore_random_state  # noqa: E402

CPU = torch.device("cpu")


def same(stored):
    return stored == {"seed": 1}


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path, {"seed": 1})


def test_a_fresh_folder_gets_its_recipe_and_loses_an_old_log(folder):
    folder.log({"step": 3})
    assert folder.open(CPU, same) is None
    assert folder.lines() == []
    assert '"seed": 1' in (folder.path / "recipe.json").read_text()


def test_what_was_saved_comes_back(folder):
    folder.save({"step": 2, "weights": {"a": torch.arange(3)}})
    state = folder.open(CPU, same)
    assert (state["step"], state["weights"]["a"].tolist()) == (2, [0, 1, 2])


def test_other_recipes_and_broken_checkpoints_are_refused(folder):
    folder.save({"step": 2})
    with pytest.raises(CheckpointError, match="another recipe .* new --out folder"):
        folder.open(CPU, lambda stored: False)
    path = folder.path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(CheckpointError, match="broken; use a new --out folder"):
        folder.open(CPU, same)


def test_the_log_forgets_what_the_checkpoint_does_not_know(folder):
    for step in (1, 2, 3):
        folder.log({"step": step})
    with (folder.path / "log.jsonl").open("a") as log:
        log.write('{"step": 4, "lo')
    folder.forget_after(2)
    assert folder.lines() == [{"step": 1}, {"step": 2}]


def test_randomness_goes_on_where_it_was():
    generator = torch.Generator().manual_seed(3)
    with torch.random.fork_rng():
        states = random_state(generator)
        before = [torch.rand(3), torch.rand(3, generator=generator)]
        restore_random_state(generator, states)
        after = [torch.rand(3), torch.rand(3, generator=generator)]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
