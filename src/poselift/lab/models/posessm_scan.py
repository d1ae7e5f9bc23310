"""PoseSSM's state-space layer over the joints of a body: as a recurrence, and as the matrix that it amounts to.

The layer is Mamba's (Gu & Dao 2023) with every parameter a plain weight, so that nothing in the scan depends on the
input. With channel d, state n, and joint l at scan position 1 to L (paper's letters: A, B, C, Delta, D):

    Delta_l = softplus(step)                              Algorithm 1: one for each joint; in the code, one for all
    h_0     = mean over l of Delta_l B_l u_l              Eq. 2; not causal: the first joint already sees all
    h_l     = exp(Delta_l A) h_{l-1} + Delta_l B_l u_l    Algorithm 1, with A = -exp(decay_log)
    y_l     = sum over n of C_l h_l + D u_l               Algorithm 1; the skip D is in the code alone

Eq. 2 says only that h_0 is made from B and the sequence; that it is the mean is read from the released code.
Unrolled, y_i = sum over j of M_ij u_j, a J x J matrix for each channel: with S_l = Delta_1 + ... + Delta_l,

    M_ij    = sum over n of C_i Delta_j B_j ([j <= i] exp(A (S_i - S_j)) + exp(A S_i) / L) + [i = j] D
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.skeleton import Skeleton

StepSize = Literal["channel", "joint"]


class JointStateSpace(nn.Module):
    """The scan over joints in hop order: the root, the joints one bone away, those two bones away, and so on."""

    order: Tensor
    position: Tensor
    causal: Tensor

    def __init__(self, skeleton: Skeleton, width: int, state_dim: int, step_size: StepSize) -> None:
        super().__init__()
        joints = len(skeleton)
        order = torch.tensor(skeleton.topological)
        position = order.argsort()
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("position", position, persistent=False)
        self.register_buffer("causal", position <= position[:, None], persistent=False)
        decay = torch.arange(1, state_dim + 1, dtype=torch.float32).log()
        self.decay_log = nn.Parameter(decay.repeat(width, 1))
        """(width, N), the logarithm of -A."""
        self.input_map = nn.Parameter(torch.randn(state_dim, joints))
        """(N, J), B by scan position."""
        self.output_map = nn.Parameter(torch.randn(state_dim, joints))
        """(N, J), C by scan position."""
        self.skip = nn.Parameter(torch.randn(width))
        """(width,), the skip D."""
        step = torch.empty((width,) if step_size == "channel" else (joints, width))
        step = step.uniform_(math.log(1e-3), math.log(0.1)).exp().clamp(min=1e-4)
        self.step = nn.Parameter(step + (-torch.expm1(-step)).log())
        """(width,), or (J, width) by scan position, Delta before its softplus."""

    def forward(self, u: Tensor) -> Tensor:
        """Run the scan as a matrix product, which is faster: (B, J, width) by joint to the same shape."""
        return torch.einsum("dij,bjd->bid", self.matrix().to(u.dtype), u)

    def recurrence(self, u: Tensor) -> Tensor:
        """Run the scan step by step, in the same shapes as `forward`; tests hold `matrix` to it."""
        u = u[:, self.order]
        step = F.softplus(self.step).expand(u.shape[1:])  # (L, width)
        decay = torch.exp(-self.decay_log.exp() * step[:, :, None])  # (L, width, N)
        driven = (step * u)[..., None] * self.input_map.T[:, None]  # (B, L, width, N): Delta_l B_l u_l
        state = driven.mean(1)  # Eq. 2: h_0
        outputs = []
        for place in range(u.shape[1]):  # Algorithm 1: h_l, then y_l
            state = decay[place] * state + driven[:, place]
            outputs.append(state @ self.output_map[:, place] + self.skip * u[:, place])
        return torch.stack(outputs, 1)[:, self.position]

    def matrix(self) -> Tensor:
        """Return M, (width, J, J), what each joint (row) takes from each joint (column), in the skeleton's order."""
        step = F.softplus(self.step).expand(len(self.order), -1)
        elapsed = step.cumsum(0).T[:, self.position]  # (width, J), S above
        gap = (elapsed[:, :, None] - elapsed[:, None, :]).clamp(min=0)
        inputs = step.T[:, None, self.position] * self.input_map[:, self.position]  # (width, N, J)
        outputs = self.output_map[:, self.position]
        result = torch.diag_embed(self.skip[:, None].expand(-1, len(self.order)))
        for state, rate in enumerate(-self.decay_log.exp().T):
            kept = torch.exp(rate[:, None, None] * gap) * self.causal
            start = torch.exp(rate[:, None] * elapsed) / len(self.order)  # what is left of h_0 (Eq. 2)
            result = result + (kept + start[:, :, None]) * outputs[state, :, None] * inputs[:, state, None, :]
        return result


class ScanModule(nn.Module):
    """The state-space layer with its gate and projections, after an embedding of the body part and a norm."""

    parts: Tensor

    def __init__(self, skeleton: Skeleton, width: int, *, expand: int, state_dim: int, step_size: StepSize) -> None:
        super().__init__()
        parts = body_parts(skeleton)
        self.register_buffer("parts", torch.tensor(parts), persistent=False)
        self.part_embed = nn.Parameter(torch.zeros(1, 1 + len(skeleton.limbs), width))
        self.norm = nn.LayerNorm(width)
        self.in_proj = nn.Linear(width, 2 * expand * width, bias=False)
        self.space = JointStateSpace(skeleton, expand * width, state_dim, step_size)
        self.out_proj = nn.Linear(expand * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (B, J, width) to the same shape, without the residual."""
        signal, gate = F.silu(self.in_proj(self.norm(x + self.part_embed[:, self.parts]))).chunk(2, 2)
        return self.out_proj(self.space(signal) * gate)


def body_parts(skeleton: Skeleton) -> list[int]:
    """Return the body part of each joint: 0 for torso and head, else 1 + the index of its limb in `Skeleton.limbs`.

    Joints below a limb, such as feet and hands, belong to the limb.
    """
    parts = {joint: part for part, limb in enumerate(skeleton.limbs, 1) for joint in limb}
    for joint in skeleton.topological:
        parts.setdefault(joint, parts.get(skeleton.parents[joint], 0))
    return [parts[joint] for joint in range(len(skeleton))]
