"""Signals and standard streams of the command line."""

import io
import os
import signal
import sys
from pathlib import Path

import pytest

import poselift
from poselift.cli import main
from poselift.cli.process import Interrupted, Stream, signals_raised
from poselift.files import written_whole

DEMO = Path(poselift.__file__).parent / "data" / "demo.npz"
LIFTER = """
import os
import numpy as np
import poselift as pl

class Own:
    skeleton, in_frames, out_frames, fps, in_channels = pl.get_skeleton("H36M_17"), 1, (0,), 50.0, 2

    def __call__(self, windows):
        os.kill(os.getpid(), {number})
        return np.ones((len(windows), 1, 17, 3), np.float32)
"""


@pytest.fixture(autouse=True)
def usual_signals():
    """Python's own handlers, also where signals are ignored, as under `nohup` or in the background of a shell."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def lifter(tmp_path, monkeypatch):
    """Writes a lifter that sends a signal to its own process, and forgets it afterwards."""
    monkeypatch.chdir(tmp_path)

    def write(number):
        Path("signalling_lifter.py").write_text(LIFTER.format(number=int(number)))
        return "signalling_lifter:Own"

    yield write
    sys.modules.pop("signalling_lifter", None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_deletes_the_temporary_file(tmp_path, number):
    with pytest.raises(Interrupted) as ending, signals_raised(), written_whole(tmp_path / "clip.json") as file:
        file.write_text("half")
        os.kill(os.getpid(), number)
    assert ending.value.number == number
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_signal_that_comes_twice_does_not_interrupt_the_cleaning_up():
    done = []
    with pytest.raises(Interrupted), signals_raised():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
            done.append("cleaned up")
    assert done == ["cleaned up"]


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None])
def test_ignored_signals_and_those_of_others_are_left_alone(handler):
    signal.signal(signal.SIGHUP, handler)
    with signals_raised():
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_status_of_an_interrupted_verb_names_the_signal(lifter, capsys, number):
    assert main(["lift", str(DEMO), "-o", "out", "--formats", "npz", "--lifter", lifter(number)]) == 128 + number
    assert "interrupted; no file was left half-written" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_verb_goes_on_under_nohup(lifter):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert (
        main(["lift", str(DEMO), "-o", "out", "--no-world", "--formats", "npz", "--lifter", lifter(signal.SIGHUP)]) == 0
    )
    assert Path("out/demo.npz").is_file()


def _without_reader():
    """A pipe whose other end is closed."""
    read, write = os.pipe()
    os.close(read)
    return os.fdopen(write, "w")


@pytest.fixture(params=["full", "pipe", "closed"])
def lose_output(request, monkeypatch):
    """Puts a stream that takes nothing in place of standard output; returns what the system calls the error."""
    streams = []

    def lose():
        make = {"full": lambda: Path("/dev/full").open("w"), "pipe": _without_reader, "closed": lambda: None}
        streams.append(make[request.param]())
        monkeypatch.setattr(sys, "stdout", streams[0])  # in the test itself: pytest sets it before each
        return {"full": "No space left on device", "pipe": "Broken pipe", "closed": "Bad file descriptor"}[
            request.param
        ]

    yield lose
    for stream in filter(None, streams):
        stream.close()  # raises nothing: what is buffered has another place to go


def test_the_work_is_finished_without_standard_output(lose_output, tmp_path, capsys):
    reason = lose_output()
    inputs = []
    for name in ("one.npz", "two.npz"):
        inputs.append(str(tmp_path / name))
        Path(inputs[-1]).write_bytes(DEMO.read_bytes())
    assert main(["lift", *inputs, "-o", str(tmp_path / "out"), "--formats", "npz"]) == 1
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["one.npz", "two.npz"]
    error = capsys.readouterr().err
    assert error == f"cannot write to standard output ({reason}); the work was finished\n"


@pytest.mark.parametrize("arguments", [["--help"], ["lift", "--help"], ["lifters"], ["--version"]])
def test_help_and_lists_fail_without_standard_output(lose_output, arguments, capsys):
    reason = lose_output()
    assert main(arguments) == 1
    assert f"cannot write to standard output ({reason})" in capsys.readouterr().err


def test_the_work_is_finished_without_standard_error(tmp_path, monkeypatch, capsys):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert main(["lift", "missing.npz", str(DEMO), "-o", str(tmp_path), "--formats", "npz"]) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["demo.npz"]
    assert "demo.npz: " in capsys.readouterr().out


def test_characters_that_a_stream_lacks_are_written_as_escapes():
    inner = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    stream = Stream(inner)
    stream.write("caf\xe9 \udce9")
    stream.flush()
    assert inner.buffer.getvalue() == rb"caf\xe9 \udce9"
    assert stream.encoding == "ascii"
