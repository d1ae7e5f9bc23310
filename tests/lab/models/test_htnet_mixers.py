import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F

from poselift.lab.models import htnet_mixers as mixers
from poselift.skeleton import COCO_17, H36M_17


@pytest.mark.parametrize("skeleton", [H36M_17, COCO_17], ids=lambda s: s.name)
def test_limb_constraint_equals_a_loop_over_limbs(skeleton, randomized):
    torch.manual_seed(1)
    ipc = randomized(mixers.IntraPartConstraint(skeleton, 6, 8, 0.1, 0.1))
    before, x = torch.randn(2, 2, 17, 6, dtype=torch.float64)
    u = before + x
    total = u.clone()
    for branch, start in ((ipc.limb, 0), (ipc.end, 1)):
        z = branch.norm(u)
        written = z.clone()
        for limb in skeleton.limbs:
            y = F.gelu(branch.mix(torch.cat([z[:, joint] for joint in limb[start:]], -1)))
            y = y + branch.mlp(branch.norm_mlp(y))
            for joint in limb[start + 1 :]:
                written[:, joint] = y
        total = total + written
    torch.testing.assert_close(ipc(before, x), total, rtol=1e-12, atol=1e-12)


def test_attention_equals_its_equation(randomized):
    torch.manual_seed(2)
    gbi = randomized(mixers.GlobalBodyInteraction(16, 4, 0.1, 0.1))
    before, x = torch.randn(2, 2, 9, 16, dtype=torch.float64)
    s = before + x
    q, k, v = gbi.qkv(gbi.norm(s)).split(16, 2)
    heads = []
    for h in range(4):
        part = slice(4 * h, 4 * h + 4)
        weights = (q[..., part] @ k[..., part].mT / 2).softmax(-1)
        heads.append(weights @ v[..., part])
    torch.testing.assert_close(gbi(before, x), s + gbi.proj(torch.cat(heads, 2)), rtol=1e-12, atol=1e-12)
