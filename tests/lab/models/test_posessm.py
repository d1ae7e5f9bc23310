import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F
from torch import nn

from poselift.errors import RecipeError, ShapeError
from poselift.lab.export.cost import count_macs, count_parameters
from poselift.lab.export.forms import example, fold, published
from poselift.lab.models import LIFTERS, build, from_reference, layers, posessm
from poselift.lab.models import posessm_scan as state_space
from poselift.lab.models.posessm_graph import body_adjacency
from poselift.lab.run.losses import LossConfig, pose_loss
from poselift.skeleton import H36M_17, SKELETONS

SMALL = {"width": 24, "num_blocks": 2}
EXACT = 1e-10
"""What double precision is held to."""
gelu = F.gelu


@pytest.fixture
def exact(reference_fixture):
    """The fixture's model in double precision with an exact graph, its input, and what the authors' code gives so."""
    tensors, weights = reference_fixture("posessm_c")
    model = from_reference("posessm", weights).double()
    for conv in convolutions(model):
        conv.graph = body_adjacency(H36M_17).permute(2, 1, 0).flatten(1)
    return model, tensors["input"].double(), tensors["output_f64_exact"]


def convolutions(model):
    return [conv for block in model.blocks for conv in (block.graph.widen, block.graph.narrow)]


def error(model, x, wanted):
    with torch.no_grad():
        return (model(x) - wanted).abs().max().item()


def assert_near(given, wanted):
    """Equal to float noise; the stream grows large within the network."""
    torch.testing.assert_close(given, wanted, rtol=0, atol=2e-6 * wanted.abs().max().item())


@pytest.mark.shared
@pytest.mark.parametrize("form", [lambda model: model, fold, published], ids=["eager", "folded", "published"])
def test_output_is_the_authors(reference_fixture, form):
    tensors, weights = reference_fixture("posessm_c")
    assert error(form(from_reference("posessm", weights)), tensors["input"], tensors["output"]) < 5e-6


@pytest.mark.shared
@pytest.mark.parametrize("form", [lambda model: model, fold, published], ids=["eager", "folded", "published"])
def test_output_is_the_authors_in_double_precision(exact, form):
    assert error(form(exact[0]), *exact[1:]) < EXACT


@pytest.mark.shared
def test_output_is_the_authors_with_their_rounded_constants(reference_fixture, monkeypatch):
    """In double precision their code keeps the graph and the attention's scale in single; the graph is so here too."""
    tensors, weights = reference_fixture("posessm_c")
    model = from_reference("posessm", weights).double()
    assert error(model, tensors["input"].double(), tensors["output_f64"]) > EXACT

    def attend(q, k, v):
        scale = torch.tensor(q.shape[3]).float().rsqrt().item()
        return F.scaled_dot_product_attention(q, k, v, scale=scale)

    monkeypatch.setattr(layers, "attend", attend)
    assert error(model, tensors["input"].double(), tensors["output_f64"]) < EXACT


@pytest.mark.shared
def test_every_module_gives_what_the_authors_does(reference_fixture):
    tensors, weights = reference_fixture("posessm_c")
    model = from_reference("posessm", weights)
    first = model.blocks[0]
    modules = {f"blocks.{i}": block for i, block in enumerate(model.blocks)} | {"patch_embed": model.embed}
    modules["blocks.0.pose_gcn.gcn1"] = first.graph.widen
    residual = {"pose_gcn": first.graph, "pose_ssm": first.scan, "pose_transformer": first.attention}
    with torch.no_grad():
        for name, module in modules.items():
            assert_near(module(tensors[f"int.{name}.in"]), tensors[f"int.{name}.out"])
        for name, module in residual.items():  # theirs add their input, ours leave that to the block
            x = tensors[f"int.blocks.0.{name}.in"]
            assert_near(x + module(x), tensors[f"int.blocks.0.{name}.out"])


@pytest.mark.shared
def test_loss_and_gradients_are_the_authors(reference_fixture):
    tensors, weights = reference_fixture("posessm_c")
    gradients, _ = reference_fixture("posessm_c_grad")
    model = from_reference("posessm", weights)
    loss = pose_loss(model(tensors["input"]), tensors["target"], H36M_17, LossConfig(joint_weights=True))
    loss.backward()
    assert loss.item() == pytest.approx(tensors["loss_weighted_mpjpe"].item(), rel=1e-6)
    for key, parameter in model.named_parameters():
        wanted = gradients.pop(f"grad.{posessm.REFERENCE.name(key)}")
        given = posessm.REFERENCE.restore(key, parameter.grad)
        assert (given - wanted).abs().max() < 1e-5 * wanted.abs().max(), key
    unused = {key.removeprefix("grad."): value for key, value in gradients.items() if key != "loss"}
    assert len(unused) == 7 * 4
    assert all(posessm.REFERENCE.is_unused(key) and not value.any() for key, value in unused.items())


@pytest.mark.shared
def test_flip_averaged_output_is_the_authors(reference_fixture):
    tensors, weights = reference_fixture("posessm_c")
    model = from_reference("posessm", weights)
    x, mirror = tensors["input"], torch.tensor([-1.0, 1.0])
    flipped = x[:, :, H36M_17.flipped] * mirror
    assert torch.equal(flipped, tensors["input_flipped"])
    with torch.no_grad():
        other = model(flipped)[:, :, H36M_17.flipped] * torch.tensor([-1.0, 1.0, 1.0])
        averaged = (model(x) + other) / 2
    torch.testing.assert_close(averaged, tensors["output_tta"], rtol=0, atol=5e-6)
    averaged[:, :, H36M_17.root] = 0
    torch.testing.assert_close(averaged, tensors["output_tta_root0"], rtol=0, atol=5e-6)


def scan_with(start=1 / 17, direction=1, zoh=False):
    """The scan with its start weighed, its direction or its discretization changed."""

    def forward(self, u):
        u, rate = u[:, self.order], -self.decay_log.exp()
        step = F.softplus(self.step)[:, None]
        decay = torch.exp(rate * step)  # (width, N)
        scale = (decay - 1) / rate if zoh else step
        heard = u[..., None] * scale * self.input_map.T[:, None]  # (B, L, width, N)
        state, given = start * heard.sum(1), {}
        for place in range(17)[::direction]:
            state = decay * state + heard[:, place]
            given[place] = state @ self.output_map[:, place] + self.skip * u[:, place]
        return torch.stack([given[place] for place in range(17)], 1)[:, self.position]

    return forward


def gated_with(signal, gate):
    """The scan module with other activations."""

    def forward(self, x):
        u, z = self.in_proj(self.norm(x + self.part_embed[:, self.parts])).chunk(2, 2)
        return self.out_proj(self.space(signal(u)) * gate(z))

    return forward


def single_residual(self, x):
    for module in (self.graph, self.scan, self.attention):
        x = x + module(x)
    return x


def ordered_twice(self, x):
    y = scan_forward(self, x)[:, self.space.order]
    return y[:, self.space.order]


scan_forward = state_space.ScanModule.forward
REPLACED = {
    "single residual": (posessm.PoseSSMBlock, single_residual),
    "no start": (state_space.JointStateSpace, scan_with(start=0)),
    "start is the sum": (state_space.JointStateSpace, scan_with(start=1)),
    "reversed scan": (state_space.JointStateSpace, scan_with(direction=-1)),
    "exact input map": (state_space.JointStateSpace, scan_with(zoh=True)),
    "no gate": (state_space.ScanModule, gated_with(F.silu, torch.ones_like)),
    "plain signal": (state_space.ScanModule, gated_with(lambda u: u, F.silu)),
    "put back by the order itself": (state_space.ScanModule, ordered_twice),
}


@pytest.mark.shared
@pytest.mark.parametrize("fault", REPLACED)
def test_parity_notices_another_computation(exact, monkeypatch, fault):
    monkeypatch.setattr(REPLACED[fault][0], "forward", REPLACED[fault][1])
    assert error(*exact) > 1e-4


@pytest.mark.shared
def test_what_parity_notices_is_the_fault(exact, monkeypatch):
    monkeypatch.setattr(state_space.JointStateSpace, "forward", scan_with())
    monkeypatch.setattr(state_space.ScanModule, "forward", gated_with(F.silu, F.silu))
    assert error(*exact) < EXACT


def no_skip(model):
    for block in model.blocks:
        block.scan.space.skip.zero_()


def swapped_gate(model):
    for block in model.blocks:
        weight = block.scan.in_proj.weight
        weight.copy_(weight.roll(len(weight) // 2, 0))


def no_order(model):
    for space in (block.scan.space for block in model.blocks):
        space.order = space.position = torch.arange(17)
        space.causal = space.position <= space.position[:, None]


def transposed_graph(model):
    for conv in convolutions(model):
        conv.graph = conv.graph.unflatten(1, (17, 4)).transpose(0, 1).flatten(1)


def channels_first(model):
    for conv in convolutions(model):
        for value in (conv.kernels.weight, conv.kernels.bias):
            value.copy_(value.unflatten(0, (-1, 4)).transpose(0, 1).flatten(0, 1))


def swapped_arms(model):
    for scan in (block.scan for block in model.blocks):
        scan.parts = torch.tensor([0, 1, 2, 4, 3])[scan.parts]


def one_epsilon(model):
    for norm in (module for module in model.modules() if isinstance(module, nn.LayerNorm)):
        norm.eps = 1e-6


@pytest.mark.shared
@pytest.mark.parametrize(
    "fault",
    [no_skip, swapped_gate, no_order, transposed_graph, channels_first, swapped_arms, one_epsilon],
    ids=lambda fault: fault.__name__,
)
def test_parity_notices_another_constant(exact, fault):
    with torch.no_grad():
        fault(exact[0])
    assert error(*exact) > 1e-5


@pytest.mark.shared
def test_parity_notices_approximate_gelu(exact, monkeypatch):
    monkeypatch.setattr(F, "gelu", lambda x: gelu(x, approximate="tanh"))
    assert error(*exact) > 1e-5


@pytest.mark.shared
def test_the_last_epsilon_hardly_matters(exact):
    """The stream is doubled 12 times before that norm, so parity cannot tell; the value is pinned instead."""
    assert exact[0].norm.eps == build("posessm", **SMALL).norm.eps == 1e-6
    exact[0].norm.eps = 1e-5
    assert error(*exact) < 1e-8


def test_multiplications_are_the_authors():
    """As torch counts them in the authors' steps; without what they do element by element."""
    model = build("posessm")
    assert count_macs(published(model), example(model, 1)) == pytest.approx(42.49e6, rel=0.01)
    assert count_macs(fold(model), example(model, 1)) < 42.49e6


@pytest.mark.shared
def test_folding_is_exact_and_leaves_little(exact):
    model, x, _ = exact
    folded = fold(model)
    with torch.no_grad():
        torch.testing.assert_close(folded(x), model(x), rtol=0, atol=1e-12)
    kinds = {type(module) for module in folded.modules()}
    assert not kinds & {nn.BatchNorm1d, layers.Dropout, layers.DropPath, state_space.JointStateSpace}
    assert folded.norm.eps == 1e-6 / 4**12 and model.norm.eps == 1e-6
    assert {type(module) for module in model.modules()} >= {nn.BatchNorm1d, layers.Dropout, layers.DropPath}


@pytest.mark.shared
def test_folding_by_the_models_own_method_leaves_the_model(exact):
    model, x, wanted = exact
    assert error(model.folded(), x, wanted) < EXACT
    assert error(model, x, wanted) < EXACT


def test_step_of_each_joint_is_an_option():
    model = build("posessm", step_size="joint")
    assert count_parameters(model) == count_parameters(build("posessm")) + 3 * 16 * 320
    assert model.blocks[0].scan.space.step.shape == (17, 320)


def test_more_frames_are_windows_of_their_own():
    model, x = build("posessm", **SMALL).eval(), torch.randn(4, 3, 17, 2)
    with torch.no_grad():
        torch.testing.assert_close(model(x), model(x.reshape(12, 1, 17, 2)))
    with pytest.raises(ShapeError, match=r"wanted keypoints \(batch, 1, 17, 2\)"):
        model(x[..., :1])


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_every_skeleton_works(skeleton):
    torch.manual_seed(0)
    model = build("posessm", **SMALL, skeleton=skeleton).eval().requires_grad_(False)
    x = example(model, 2)
    assert model(x).shape == (2, 1, len(skeleton), 3)
    torch.testing.assert_close(fold(model)(x), model(x), rtol=0, atol=1e-5)
    torch.testing.assert_close(published(model)(x), model(x), rtol=0, atol=1e-5)


def test_it_starts_as_published():
    model = build("posessm", **SMALL)
    embeddings = [value for name, value in model.named_parameters() if name.endswith(("part_embed", "position"))]
    assert len(embeddings) == 4 and not any(value.any() for value in embeddings)
    assert [block.drop_path.rate for block in build("posessm", width=8).blocks] == pytest.approx([0.1, 0.2, 0.3])
    assert {m.p for m in model.blocks[0].graph.modules() if isinstance(m, layers.Dropout)} == {0.05}
    assert model.blocks[0].attention.dropout.p == 0.1


def test_bad_options_name_the_field():
    for field, value in {"state_dim": 0, "expand": 0, "graph_dropout": 1.0, "step_size": "both", "width": 28}.items():
        with pytest.raises(RecipeError, match=f"^{field}: wanted"):
            build("posessm", **SMALL | {field: value})
    assert LIFTERS["posessm"].reference is posessm.REFERENCE
