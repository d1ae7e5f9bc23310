import resource

import pytest

torch = pytest.importorskip("torch")

from poselift.errors import CheckpointError, OutputError
from poselift.lab.run.folder import RunFolder

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


def test_a_full_disk_keeps_the_earlier_checkpoint(folder):
    """The system's limit on the size of files stands for a full disk: the write itself fails."""
    folder.save({"step": 2})
    folder.log({"step": 2, "note": "n" * 1000})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OutputError, match="could not write .*checkpoint.pt: File too large"):
            folder.save({"step": 3, "weights": torch.zeros(1000)})
        with pytest.raises(OutputError, match="could not write to .*log.jsonl: File too large"):
            folder.log({"step": 3})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert folder.open(CPU, same)["step"] == 2
    assert sorted(file.name for file in folder.path.iterdir()) == ["checkpoint.pt", "log.jsonl"]


def test_the_log_forgets_what_the_checkpoint_does_not_know(folder):
    for step in (1, 2, 3):
        folder.log({"step": step})
    with (folder.path / "log.jsonl").open("a") as log:
        log.write('{"step": 4, "lo')
    folder.drop_after(2)
    assert folder.lines() == [{"step": 1}, {"step": 2}]


DAMAGED = (
    b'{"step": 2.5, "loss_mm": 1}', b'{"step": 3, "loss_mm": "x"}', b'{"step": 3, "loss_mm": NaN}', b'{"loss_mm": 3}',
    b"[1]", b"3", b"\xff\xfe", b'{"step": ' + b"7" * 5000 + b"}", b"[" * 100_000, b'{"step": true}',
)  # fmt: skip


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_line_of_the_log_is_left_out(folder, line, caplog):
    folder.log({"step": 1, "loss_mm": 2.5})
    with (folder.path / "log.jsonl").open("ab") as log:
        log.write(line + b"\n")
    folder.log({"step": 3, "loss_mm": 2})
    assert folder.lines() == [{"step": 1, "loss_mm": 2.5}, {"step": 3, "loss_mm": 2}]
    assert "log.jsonl: 1 damaged lines are left out" in caplog.text


def test_a_log_that_is_no_file(folder):
    (folder.path / "log.jsonl").mkdir()
    with pytest.raises(CheckpointError, match="a folder.*new --out folder"):
        folder.lines()


@pytest.mark.parametrize("recipe", ["{", "7" * 5000, "[" * 100_000, "0", '"x"', 3])
def test_a_checkpoint_whose_recipe_is_broken(folder, recipe):
    torch.save({"recipe": recipe, "step": 2}, folder.path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="new --out folder"):
        folder.open(CPU, same)


def test_a_process_that_does_not_write_leaves_the_folder_alone(folder):
    folder.save({"step": 2})
    folder.log({"step": 2})
    before = {file.name: file.read_bytes() for file in folder.path.iterdir()}
    other = RunFolder(folder.path, {"seed": 1}, writes=False)
    assert other.open(CPU, same)["step"] == 2
    other.save({"step": 3})
    other.log({"step": 3})
    other.drop_after(1)
    other.write("recipe.json", "{}")
    other.remove("log.jsonl")
    assert {file.name: file.read_bytes() for file in folder.path.iterdir()} == before
