import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from poselift.errors import DatasetError, FormatError, OutputError, OutputExistsError
from poselift.files import (
    FILE,
    FOLDER,
    NOTHING,
    SPECIAL,
    check_free,
    check_no_input,
    files_in,
    found_at,
    opened,
    read_json,
    read_text,
    result_name,
    sha256_of,
    written_whole,
)
from poselift.files.limits import VARIABLE


def test_the_file_appears_when_the_block_ends_and_nothing_else_does(tmp_path):
    path = tmp_path / "new" / "folder" / "clip.json"
    with written_whole(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".json"
        temporary.write_text("whole")
        assert not path.exists()
    assert [file.name for file in path.parent.iterdir()] == ["clip.json"]
    assert path.read_text() == "whole"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, FormatError])
def test_nothing_is_left_when_the_block_fails(tmp_path, error):
    with pytest.raises(error), written_whole(tmp_path / "clip.json") as temporary:
        temporary.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_old_file(tmp_path):
    path = tmp_path / "clip.json"
    path.write_text("old")
    with pytest.raises(OutputError, match="could not write .*No space"), written_whole(path, overwrite=True) as file:
        file.write_text("half")
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_existing_files_are_kept_unless_told_otherwise(tmp_path):
    path = tmp_path / "clip.json"
    path.write_text("old")
    with pytest.raises(OutputExistsError, match="exists and is kept.*--force"), written_whole(path):
        raise AssertionError("the block must not run")
    assert path.read_text() == "old"
    with written_whole(path, overwrite=True) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_a_long_name_is_written_if_the_system_can_hold_it(tmp_path):
    most = os.pathconf(tmp_path, "PC_NAME_MAX")
    for name in (f"{'n' * (most - 5)}.json", "ü" * (most // 2), f"[a]*{'?' * 60}.json"):
        with written_whole(tmp_path / name) as temporary:
            temporary.touch()
        assert (tmp_path / name).is_file()
    with pytest.raises(OutputError, match="too long"), written_whole(tmp_path / f"{'n' * most}.json"):
        raise AssertionError("the block must not run")


def test_a_device_is_not_replaced():
    with pytest.raises(OutputError, match="/dev/null is a device"), written_whole("/dev/null", overwrite=True):
        raise AssertionError("the block must not run")


def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0o500)
    if os.access(tmp_path / "locked", os.W_OK):
        pytest.skip("this user may write everywhere")
    path = tmp_path / "locked" / "clip.json"
    with pytest.raises(OutputError, match="could not write .*clip.json: Permission denied"), written_whole(path):
        raise AssertionError("the block must not run")


def test_a_disk_that_is_full_is_named(tmp_path):
    """The system's limit on the size of files stands for a full disk: the write itself fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OutputError, match="could not write .*: File too large.*make room"):
            with written_whole(tmp_path / "clip.json") as file:
                file.write_text("n" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


WRITES = """
import os, sys
from poselift.files import written_whole
with written_whole(sys.argv[1]) as file:
    file.write_text("half")
    print("half", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def writer(tmp_path):
    """Starts processes that have written the half of a file, and wait."""
    processes = []

    def start(name):
        command = [sys.executable, "-c", WRITES, str(tmp_path / name)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "half\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_what_a_killed_process_left_is_deleted_by_the_next_that_writes_the_file(writer, tmp_path):
    for name in ("clip.json", "clip.csv", "clip.a.json"):
        killed = writer(name)
        killed.kill()
        killed.wait()
    backup = tmp_path / ".clip.poselift-backup.json"
    backup.touch()
    assert len(list(tmp_path.iterdir())) == 4
    with written_whole(tmp_path / "clip.json") as file:
        file.write_text("whole")
    left = sorted(file.name for file in tmp_path.iterdir())
    assert len(left) == 4
    assert {"clip.json", backup.name} < set(left)
    assert [name for name in left if name.startswith(".clip.a.poselift-")]
    assert [name for name in left if name.endswith(".csv")]


def test_the_file_of_a_process_that_still_writes_is_left_alone(writer, tmp_path):
    slow = writer("clip.json")
    with written_whole(tmp_path / "clip.json") as file:
        file.write_text("fast")
    assert (tmp_path / "clip.json").read_text() == "fast"
    assert len(list(tmp_path.iterdir())) == 2
    slow.communicate("go on\n")
    assert slow.returncode == 0
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("clip.json", "half")]


def test_check_free(tmp_path):
    check_free(tmp_path / "nothing.npz")
    (tmp_path / "there.npz").touch()
    check_free(tmp_path / "there.npz", overwrite=True)
    with pytest.raises(OutputExistsError):
        check_free(tmp_path / "there.npz")
    with pytest.raises(OutputExistsError, match="is a folder"):
        check_free(tmp_path, overwrite=True)


def test_an_input_is_no_place_for_a_result(tmp_path):
    clip, link = tmp_path / "clip.json", tmp_path / "link.json"
    check_no_input(clip, [clip, link])  # nothing is there yet
    clip.touch()
    check_no_input(clip, [tmp_path / "other.json"])
    link.symlink_to(clip)
    for target, source in ((clip, clip), (clip, link), (tmp_path / "." / "clip.json", clip)):
        with pytest.raises(OutputExistsError, match="clip.json is an input and is never overwritten"):
            check_no_input(target, [tmp_path / "other.json", source])


def test_results_are_called_after_what_they_are_made_from(tmp_path, monkeypatch):
    (tmp_path / "take.1" / "below").mkdir(parents=True)
    (tmp_path / "...").mkdir()
    monkeypatch.chdir(tmp_path / "take.1")
    names = {
        "clip.npz": "clip", "a/b.tar.gz": "b.tar", "../take.1": "take.1", ".": "take.1", "below/..": "take.1",
        "..npz": "npz", "...json": "json", "../...": "clip", "/": "clip", ".hidden.csv": ".hidden",
    }  # fmt: skip
    assert {path: result_name(Path(path)) for path in names} == names


def test_a_file_where_the_folder_should_be_is_told(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="could not write .*out"), written_whole(tmp_path / "out" / "clip.json"):
        raise AssertionError("the block must not run")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_the_file_has_the_mode_of_any_other(tmp_path):
    with written_whole(tmp_path / "ours") as temporary:
        temporary.touch()
    (tmp_path / "plain").touch()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain")]
    assert modes[0] == modes[1]


def test_what_is_at_a_path(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("none")
    wanted = {"file": FILE, "link": FILE, ".": FOLDER, "none": NOTHING, "dangling": NOTHING, "file/below": NOTHING}
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        wanted |= {"pipe": SPECIAL, "/dev/zero": SPECIAL}
    assert {name: found_at(tmp_path / name) for name in wanted} == wanted


@pytest.mark.parametrize("name", ["n" * 300, "n/" * 3000, "a\0b", "loop"])
def test_names_that_cannot_be_looked_at(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    path = tmp_path / name
    for ask in (found_at, read_text, read_json, sha256_of):
        with pytest.raises(FormatError, match="cannot look at .*check the name"):
            ask(path)
    with pytest.raises(DatasetError, match="cannot look at"):
        found_at(path, DatasetError)
    with pytest.raises(OutputError, match="cannot look at"), written_whole(path):
        raise AssertionError("the block must not run")
    check_no_input(tmp_path / "out", [path])
    assert result_name(path)


def test_files_of_a_folder(tmp_path):
    for name in ("b.npz", "a.npz", "a.csv"):
        (tmp_path / name).touch()
    assert [file.name for file in files_in(tmp_path, "*.npz", "*.json")] == ["a.npz", "b.npz"]
    assert files_in(tmp_path / "none", "*") == files_in(tmp_path / "a.csv", "*") == []
    with pytest.raises(DatasetError, match="cannot look into"):
        files_in(tmp_path / ("n" * 300), "*", refuse=DatasetError)


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are POSIX")
def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path / "pipe", "pipe or device"),
        (Path("/dev/zero"), "pipe or device"),
        (tmp_path, "folder"),
    ):
        with pytest.raises(FormatError, match=f"cannot read .*{message}"), opened(path):
            raise AssertionError("the block must not run")


def test_files_that_are_too_large(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text("[" + " " * 2000 + "]")
    assert read_json(tmp_path / "a.json") == []
    monkeypatch.setenv(VARIABLE, "0.000001")
    with pytest.raises(FormatError, match="the limit for text and JSON files"):
        read_json(tmp_path / "a.json")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="files without a size are Linux's")
def test_files_whose_size_is_not_known_are_limited_too(monkeypatch):
    assert "VmPeak" in read_text(Path("/proc/self/status"))
    monkeypatch.setenv(VARIABLE, "0.0000001")
    with pytest.raises(FormatError, match="the limit for text"):
        read_text(Path("/proc/self/status"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7" * 5000, "more than 308 digits"),
        (f"[1, -{'9' * 309}]", "more than 308 digits"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a": ', "broken JSON .* line 1, column 7"),
    ],
)
def test_broken_json(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError, match=f"a.json.*{message}"):
        read_json(tmp_path / "a.json")


def test_numbers_of_json(tmp_path):
    text = f"[{'9' * 308}, 0.{'3' * 500}, 1e999]"
    (tmp_path / "a.json").write_text(text)
    assert read_json(tmp_path / "a.json") == [int("9" * 308), 1 / 3, float("inf")]


def test_text_with_any_line_ends_and_a_mark(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n\xff")
    assert read_text(tmp_path / "a.txt", errors="replace") == "a\nb\nc\n\ufffd"
    with pytest.raises(FormatError, match="byte 7 is not UTF-8"):
        read_text(tmp_path / "a.txt")
