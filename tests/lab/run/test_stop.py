import os
import signal
import threading

import pytest

pytest.importorskip("torch")

from poselift.lab.run import stop
from poselift.lab.run.stop import Stop


@pytest.fixture(autouse=True)
def usual_signals():
    """Python's own handlers, also where signals are ignored, as under `nohup` or in the background of a shell."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_nobody_asks():
    with Stop() as asked:
        assert not asked.asked


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_noted_and_what_was_before_comes_back(number):
    before = signal.getsignal(number)
    with Stop(signals=True) as asked:
        assert not asked.asked
        os.kill(os.getpid(), number)
        assert asked.asked
        assert asked.reason == signal.Signals(number).name
        os.kill(os.getpid(), number)  # at once: torchrun passes on what we have got
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) is before


def test_a_later_signal_does_what_it_always_did(monkeypatch):
    monkeypatch.setattr(stop, "_SAME_SIGNAL_S", -1.0)
    with Stop(signals=True):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ignored_signals_stay_ignored(number):
    signal.signal(number, signal.SIG_IGN)
    with Stop(signals=True) as asked:
        os.kill(os.getpid(), number)
        assert not asked.asked
    assert signal.getsignal(number) is signal.SIG_IGN


def test_signals_are_left_alone_unless_asked_for():
    before = signal.getsignal(signal.SIGTERM)
    with Stop(max_minutes=1):
        assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_cannot_listen_and_do_not_fail():
    found = []

    def listen():
        with Stop(signals=True) as asked:
            found.append(asked.asked)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert found == [False]


def test_the_time_is_up(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(stop.time, "monotonic", lambda: now[0])
    with Stop(2.5) as asked:
        now[0] += 149
        assert not asked.asked
        now[0] += 1
        assert asked.asked
        assert asked.reason == "2.5 minutes are up"
