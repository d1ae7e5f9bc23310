"""One row of the nightly check, and faults that it must not miss."""

import json
import math
import statistics
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from poselift.lab.recipes.tables import TABLES
from poselift.lab.train import Run

SCRIPT = Path(__file__).parents[2] / "scripts" / "nightly.py"


@pytest.fixture(scope="module")
def nightly(load_script):
    return load_script("nightly")


@pytest.fixture(scope="module")
def known(nightly):
    return json.loads(nightly.NOISE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def data(nightly, tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    nightly.write_archives(folder)
    return folder


def test_each_first_row_has_its_noise(nightly, known):
    assert set(known) == {nightly.first_row(table) for table in TABLES if table not in nightly.LEFT_OUT}
    assert set(nightly.LEFT_OUT) < set(TABLES)
    for name, scores in known.items():
        assert set(scores) == set(nightly.METRICS), name
        assert all(len(values) >= 4 and len(set(values)) == len(values) for values in scores.values()), name
        assert all(nightly.margin(values) < 0.4 * statistics.mean(values) for values in scores.values()), name


def test_a_row_gives_what_it_gave(nightly, known, data, capsys):
    assert nightly.check(["h36m_posessm"], data, known) == []
    assert "h36m_posessm: posessm_h36m_cpn" in capsys.readouterr().out


def test_a_training_that_changes_nothing_is_found(nightly, known, data, monkeypatch):
    monkeypatch.setattr(Run, "train", lambda run: True)
    faults = nightly.check(["h36m_posessm"], data, known)
    assert len(faults) == 2 and all("h36m_posessm, posessm_h36m_cpn: " in fault for fault in faults)
    assert faults[0].split(": ")[1].startswith("mpjpe ") and "of 4 seeds" in faults[0]


def test_what_moves_by_more_than_its_noise_is_said(nightly):
    seeds = {"mpjpe": [100.0, 102.0, 98.0, 100.0]}
    most = nightly.margin(seeds["mpjpe"])
    assert most == pytest.approx(3 * math.sqrt(8 / 3))
    assert nightly.moved({"mpjpe": 100 + most - 0.01}, seeds) == []
    for value in (100 + most + 0.01, 100 - most - 0.01, math.nan):
        assert "wanted 100.0 ± 4.9 (of 4 seeds)" in nightly.moved({"mpjpe": value}, seeds)[0]


def test_a_row_whose_noise_is_unknown_is_told(nightly, data):
    with pytest.raises(SystemExit, match="--measure 4 h36m_posessm"):
        nightly.check(["h36m_posessm"], data, {})


def test_noise_is_stored_row_by_row(nightly, data, tmp_path, monkeypatch):
    monkeypatch.setattr(nightly, "score", lambda name, data, seed: {"mpjpe": 100.0 + seed, "p_mpjpe": 50.0 - seed})
    path = tmp_path / "noise.json"
    path.write_text('{"other": {}}')
    nightly.measure(["h36m_posessm"], data, 3, path)
    assert json.loads(path.read_text()) == {
        "other": {}, "posessm_h36m_cpn": {"mpjpe": [100.0, 101.0, 102.0], "p_mpjpe": [50.0, 49.0, 48.0]},
    }  # fmt: skip
