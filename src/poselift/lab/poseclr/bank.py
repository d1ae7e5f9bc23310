"""The memory bank of contrastive learning, which stores with each embedding the moment that it shows.

Shapes: `B` anchors, `N` entries of the bank, `E` width of an embedding.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Moments:
    """The recording and the time of windows, by which views of the same moment are recognized."""

    clip: Tensor
    """(B,) number of the recording; the same for all its cameras."""
    span_s: Tensor
    """(B, 2) times of the window's first and last frame, seconds from the recording's beginning."""

    def overlap(self, other: "Moments", margin_s: float) -> Tensor:
        """Return which windows overlap N others, or lie at most `margin_s` seconds apart from them: (B, N) bool."""
        begins, ends = self.span_s[:, None].unbind(-1)
        starts, stops = other.span_s.unbind(-1)
        near = (begins <= stops + margin_s) & (starts <= ends + margin_s)
        return near & (self.clip[:, None] == other.clip)


class MemoryBank(nn.Module):
    """A queue of the last embeddings, first in, first out; it is made of buffers, so that checkpoints contain it."""

    embeddings: Tensor
    clip: Tensor
    span_s: Tensor
    born: Tensor
    next: Tensor
    time: Tensor

    def __init__(self, size: int, width: int) -> None:
        """Make an empty bank with `size` entries for embeddings of this width."""
        super().__init__()
        self.register_buffer("embeddings", torch.zeros(size, width))
        self.register_buffer("clip", torch.full((size,), -1))
        self.register_buffer("span_s", torch.zeros(size, 2))
        self.register_buffer("born", torch.full((size,), -1))
        self.register_buffer("next", torch.tensor(0))
        self.register_buffer("time", torch.tensor(0))

    @property
    def filled(self) -> Tensor:
        """(N,) bool, the entries that hold an embedding."""
        return self.born >= 0

    @property
    def age(self) -> Tensor:
        """Mean age of the embeddings, in calls of `push` since they were stored; 0 when the bank is empty."""
        return ((self.time - self.born) * self.filled).sum() / self.filled.sum().clip(min=1)

    def push(self, embeddings: Tensor, moments: Moments) -> None:
        """Replace the oldest entries by embeddings (B, E) of B moments; of more than N only the last N are stored."""
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
        """Return which entries may be negatives of B anchors, (B, N) bool; views of an anchor's own moment may not."""
        return self.filled & ~moments.overlap(Moments(self.clip, self.span_s), margin_s)
