import dataclasses
import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from poselift import cli
from poselift.errors import RecipeError
from poselift.lab.export import efficiency as bench
from poselift.lab.export import report
from poselift.lab.models import LIFTERS, build

TINY = {"width": 48, "mlp_width": 16, "gcn_width": 16, "num_blocks": 1}
QUICK = bench.EfficiencyConfig(batch=3, rounds=1, turn_s=0.0, train_batch=2)


def test_a_row_holds_every_cost():
    before = torch.get_num_threads()
    row = bench.measure("htnet", TINY, QUICK)
    assert torch.get_num_threads() == before
    model = build("htnet", **TINY)
    assert row.parameters == sum(p.numel() for p in model.parameters())
    assert row.lifter == "htnet width=48 mlp_width=16 gcn_width=16 num_blocks=1"
    assert set(row.latency_ms) == set(row.bulk_ms) == set(bench.FORMS)
    assert min((*row.latency_ms.values(), *row.bulk_ms.values(), row.train_ms)) > 0
    assert row.difference < 1e-5
    assert 0 < row.onnx_ms["p5"] <= row.latency_ms["onnx"] <= row.onnx_ms["p99"]
    assert row.matmul_ms > 0 and row.whole_ms > 0 and 0 < row.fraction() < 1
    assert row.file_bytes > 4 * row.parameters
    assert 0 < row.folded_macs <= 1.1 * row.macs


def test_ratios_and_rates_are_worked_out():
    times = {"published": 8.0, "eager": 4.0, "folded": 2.0, "onnx": 1.0}
    row = bench.Row(
        lifter="x", parameters=1, out_frames=9, macs=9, folded_macs=8, latency_ms=times,
        bulk_ms={form: value / 4 for form, value in times.items()}, train_ms=1.0, difference=0.0,
        onnx_ms={"p5": 0.9, "p95": 1.1, "p99": 1.5}, whole_ms=0.5, matmul_ms=1024.0, file_bytes=7,
    )  # fmt: skip
    assert row.matmul_rate == 1024**2
    assert row.fraction() == pytest.approx(8 / 0.25 / 1024**2) == 2 * row.fraction(row.whole_ms)
    assert row.speedup("onnx") == 8 and row.speedup("folded", bulk=True) == 4
    assert row.frames_per_s("onnx") == 36_000


def test_forms_that_differ_are_seen(monkeypatch):
    def off(model):
        with torch.no_grad():
            model.head.bias += 0.01
        return model

    import copy

    monkeypatch.setattr(bench, "published", lambda model: off(copy.deepcopy(model)))
    assert bench.measure("htnet", TINY, QUICK).difference == pytest.approx(0.01, abs=1e-4)


def test_the_table_has_every_lifter_and_its_variants():
    assert {name for name, _ in bench.cases([])} == set(LIFTERS)
    assert bench.cases(["nanohtnet"]) == [("nanohtnet", {}), ("nanohtnet", {"in_frames": 81})]
    with pytest.raises(RecipeError, match="did you mean 'htnet'"):
        bench.cases(["htnt"])


@pytest.mark.parametrize("field", ["threads", "batch", "rounds", "train_batch"])
def test_numbers_out_of_range_are_errors(field):
    with pytest.raises(RecipeError, match=f"{field}: wanted 1 or more"):
        dataclasses.replace(QUICK, **{field: 0})


def test_the_verb_writes_a_dated_page_with_its_numbers_and_a_plot(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "CASES", (("htnet", TINY),))
    monkeypatch.setattr(report, "PUSHES", (("nanohtnet.mocap27-live", 0.16, 1), ("nanohtnet.mocap27-live", 0.0, 2)))
    monkeypatch.setattr("poselift.cli.training.PUSHES", report.PUSHES[:1])
    options = ["--rounds", "1", "--batch", "2", "--pushes", "40", "-o", str(tmp_path)]
    assert cli.main(["benchmark", "htnet", *options]) == 0
    page, numbers, plot = (next(tmp_path.glob(f"20*-efficiency.{end}")) for end in ("md", "json", "svg"))
    text, found = page.read_text(), json.loads(numbers.read_text())
    assert "`poselift benchmark htnet --threads 1 --batch 2`" in text
    assert text.count("| htnet width=48") == 3 and "1 thread(s) of" in text
    (row,) = found["lifters"]
    assert row["fraction_of_matmul"] == pytest.approx(
        row["folded_macs"] / row["bulk_ms"]["onnx"] / (1024**3 / row["matmul_ms"])
    )
    block, two = found["pushes"]
    assert block["windows"] == pytest.approx(1 / 9, abs=0.02) and two["windows"] == 1 and two["people"] == 2
    assert block["mean_ratio"] < 1 < two["median_ratio"]
    assert 50 < found["memory"]["nanohtnet.mocap27-live"]["peak_mib"] < 2000
    assert found["onnxruntime"] in text and found["cores"] >= 1
    assert plot.read_text().count("<rect") == 1 + 3
    assert "htnet" in capsys.readouterr().out


def test_streams_are_left_out_on_request(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "CASES", (("htnet", TINY),))
    assert cli.main(["benchmark", "htnet", "--rounds", "1", "--batch", "2", "--pushes", "0", "-o", str(tmp_path)]) == 0
    assert "Pushes" not in next(tmp_path.glob("*.md")).read_text()
    assert cli.main(["benchmark", "htnet", "--pushes", "-1"]) == 1
