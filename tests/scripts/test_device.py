"""The script that measures a device: what a system tells and does not tell, its file, and the page of such files."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "device.py"


@pytest.fixture
def device(load_script):
    return load_script("device")


@pytest.fixture
def system(device, tmp_path, monkeypatch):
    """A system whose files hold what a test writes into them."""
    monkeypatch.setattr(device, "SYSTEM", tmp_path)

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    return write


def test_one_command_writes_a_file_that_the_page_takes(device, tmp_path):
    out = tmp_path / "machine.json"
    command = [sys.executable, SCRIPT, "--out", out, "--lifters", "nanohtnet.mocap27-live", "--seconds", "0.01"]
    command += ["--no-torch"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    content = device.check(json.loads(out.read_text()), "machine.json")
    (row,) = content["rows"]
    assert (row["lifter"], row["in_frames"], row["out_frames"]) == ("nanohtnet.mocap27-live", 81, 9)
    assert 0 < row["bulk_frame_ms"] < row["window_ms"]  # a frame in bulk is a ninth of a window and less
    assert row["push_ms"] > 0.5 * row["window_ms"]  # a window a push; one hundredth of a second is a coarse measure
    assert row["memory_mib"] is None or 1 < row["memory_mib"] < 1000
    assert row["torch_ms"] is None
    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert again.returncode == 1 and "exists; name another file" in again.stderr
    page = device.with_tables("<!-- devices -->\n<!-- /devices -->\n", tmp_path)
    assert f"## {content['machine']}" in page and "| `nanohtnet.mocap27-live` |" in page


def test_forms_are_measured_where_torch_is(device):
    small = {"lifter": "htnet", "model": {"width": 24, "mlp_width": 8, "gcn_width": 8, "num_blocks": 1}}
    lifter = SimpleNamespace(card=SimpleNamespace(training=SimpleNamespace(recipe=small)))
    found = device.forms(lifter, 0.0)
    if importlib.util.find_spec("torch") is None:
        assert found is None
    else:
        assert set(found) == set(device.FORMS) and min(found.values()) > 0
    assert device.forms(SimpleNamespace(card=SimpleNamespace(training=None)), 0.0) is None


def test_the_page_is_current(device):
    page = device.PAGE.read_text(encoding="utf-8")
    assert device.with_tables(page, device.FOLDER) == page, "run python scripts/device.py --page"
    assert list(device.FOLDER.glob("*.json"))


def test_frequencies_come_from_where_they_are(device, system):
    assert device.megahertz(0) is None and device.highest_megahertz(0) is None
    system("proc/cpuinfo", "processor : 0\ncpu MHz\t\t: 2300.5\nprocessor : 1\ncpu MHz\t\t: 1200\n")
    assert (device.megahertz(0), device.megahertz(1), device.megahertz(2)) == (2300.5, 1200, None)
    system("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "921600\n")
    system("sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq", "1479000\n")
    assert (device.megahertz(1), device.highest_megahertz(1)) == (921.6, 1479)


def test_energy_is_counted_or_its_lack_is_said(device, system):
    energy = device.Energy()
    assert "no RAPL counter" in energy.why and energy.joules() is None
    assert energy.between(None, 3.0) is None
    system("sys/class/powercap/intel-rapl:0/name", "package-0")
    assert "root only" in device.Energy().why
    system("sys/class/powercap/intel-rapl:0/energy_uj", "2500000\n")
    energy = device.Energy()
    assert (energy.why, energy.joules(), energy.between(1.0, 2.5)) == ("", 2.5, 1.5)
    assert energy.between(9.0, 1.0) is None  # the counter began anew, and its range is not told
    system("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "10000000\n")
    assert energy.between(9.0, 1.0) == 2.0


def test_boards_are_named(device, system):
    assert device.describe()["model"] == "not told"
    system("proc/device-tree/model", "NVIDIA Jetson Nano Developer Kit\0")
    said = device.describe()
    assert said["model"] == "NVIDIA Jetson Nano Developer Kit" and "no RAPL" in said["energy"]


ROW = {
    "lifter": "one", "in_frames": 81, "out_frames": 9, "window_ms": 4.0, "bulk_frame_ms": 0.1, "push_ms": 5.0,
    "torch_ms": {"published": 9.0, "eager": 8.0, "folded": 6.04}, "memory_mib": 30.4, "frequency_mhz": None,
    "frequency_share": None, "millijoule_a_frame": 1.5,
}  # fmt: skip


def content(device, **changes):
    return {"format": 1} | dict.fromkeys(device.MACHINE, "x") | {"rows": [ROW]} | changes


def test_a_window_of_nine_frames_counts_once_or_nine_times(device):
    said = device.tables([content(device)])
    assert "| `one` | 250 | 9 | 2,250 | 10,000 | 9.0 / 8.0 / 6.0 | 5.0 | 30 | -, - | 1.50 |" in said
    said = device.tables([content(device, rows=[ROW | {"torch_ms": None}])])
    assert "| 10,000 | - | 5.0 |" in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 1"),
        ({"machine": 3}, "machine: wanted a line"),
        ({"model": "a | b"}, "model: wanted a line"),
        ({"rows": []}, "wanted rows"),
        ({"rows": [3]}, "lifter: wanted str"),
        ({"rows": [ROW | {"window_ms": None}]}, "window_ms: wanted float"),
        ({"rows": [ROW | {"out_frames": 1.5}]}, "out_frames: wanted int"),
        ({"rows": [ROW | {"torch_ms": {"eager": 3.0}}]}, "torch_ms: wanted numbers for published"),
    ],
)
def test_files_of_another_kind_are_refused(device, tmp_path, changes, message):
    (tmp_path / "odd.json").write_text(json.dumps(content(device, **changes)))
    with pytest.raises(SystemExit, match=f"odd.json.*{message}"):
        device.with_tables("<!-- devices -->\n<!-- /devices -->\n", tmp_path)
    (tmp_path / "odd.json").write_text("{")
    with pytest.raises(SystemExit, match="odd.json: not JSON"):
        device.with_tables("<!-- devices -->\n<!-- /devices -->\n", tmp_path)
    with pytest.raises(SystemExit, match="the page lacks <!-- devices -->"):
        device.with_tables("# Nothing\n", tmp_path / "none")
