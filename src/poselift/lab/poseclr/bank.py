"""The memory bank of contrastive learning, whose entries know of which moment they are.

Shapes: `B` anchors, `N` places in the bank, `E` width of an embedding.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Moments:
    """Who and when: what tells that two windows show the same thing, whatever camera saw them."""

    clip: Tensor
    """(B,) number of the recording; the same for all its cameras."""
    span_s: Tensor
    """(B, 2) first and last moment of the window, seconds from the recording's beginning."""

    def overlap(self, other: "Moments", margin_s: float) -> Tensor:
        """Which windows share a moment, or miss it by `margin_s` at most: (B, N) bool for N others."""
        begins, ends = self.span_s[:, None].unbind(-1)
        starts, stops = other.span_s.unbind(-1)
        near = (begins <= stops + margin_s) & (starts <= ends + margin_s)
        return near & (self.clip[:, None] == other.clip)


class MemoryBank(nn.Module):
    """The last embeddings, first in, first out. Its state is buffers, so that a checkpoint holds it."""

    embeddings: Tensor
    clip: Tensor
    span_s: Tensor
    born: Tensor
    next: Tensor
    time: Tensor

    def __init__(self, size: int, width: int) -> None:
        """An empty bank of `size` places for embeddings of this width."""
        super().__init__()
        self.register_buffer("embeddings", torch.zeros(size, width))
        self.register_buffer("clip", torch.full((size,), -1))
        self.register_buffer("span_s", torch.zeros(size, 2))
        self.register_buffer("born", torch.full((size,), -1))
        self.register_buffer("next", torch.tensor(0))
        self.register_buffer("time", torch.tensor(0))

    @property
    def filled(self) -> Tensor:
        """(N,) bool: places that hold an embedding."""
        return self.born >= 0

    @property
    def age(self) -> Tensor:
        """Mean age of what it holds, in calls of `push` since; 0 when empty."""
        return ((self.time - self.born) * self.filled).sum() / self.filled.sum().clip(min=1)

    def push(self, embeddings: Tensor, moments: Moments) -> None:
        """Take in embeddings (B, E) of these moments, in place of the oldest; the last ones when they are too many."""
        size = len(self.embeddings)
        kept = slice(max(len(embeddings) - size, 0), None)
        embeddings, clip, span_s = embeddings[kept].detach(), moments.clip[kept], moments.span_s[kept]
        self.time += 1
        places = (self.next + torch.arange(len(embeddings), device=self.next.device)) % size
        self.embeddings[places] = embeddings.to(self.embeddings)
        self.clip[places] = clip
        self.span_s[places] = span_s.to(self.span_s)
        self.born[places] = self.time
        self.next.copy_((self.next + len(embeddings)) % size)

    def usable(self, moments: Moments, margin_s: float) -> Tensor:
        """(B, N) bool: which entries may be negatives of these anchors; no view of an anchor's own moment is."""
        return self.filled & ~moments.overlap(Moments(self.clip, self.span_s), margin_s)
