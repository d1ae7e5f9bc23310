import dataclasses

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from poselift import cli
from poselift.errors import RecipeError
from poselift.lab.export import efficiency as bench
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
    assert 0 < row.folded_macs <= 1.1 * row.macs


def test_ratios_and_rates_are_worked_out():
    times = {"published": 8.0, "eager": 4.0, "folded": 2.0, "onnx": 1.0}
    row = bench.Row(
        lifter="x", parameters=1, out_frames=9, macs=9, folded_macs=8, latency_ms=times,
        bulk_ms={form: value / 4 for form, value in times.items()}, train_ms=1.0, difference=0.0,
    )  # fmt: skip
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


def test_the_verb_writes_a_dated_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "CASES", (("htnet", TINY),))
    assert cli.main(["benchmark", "htnet", "--rounds", "1", "--batch", "2", "-o", str(tmp_path)]) == 0
    (page,) = tmp_path.iterdir()
    text = page.read_text()
    assert page.name.endswith("-efficiency.md") and page.name[:2] == "20"
    assert "`poselift benchmark htnet --threads 1 --batch 2`" in text
    assert text.count("| htnet width=48") == 2 and "1 thread(s) of" in text
    assert "htnet" in capsys.readouterr().out
