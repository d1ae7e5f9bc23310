"""A lifter of your own: forty lines that train, evaluate, export and lift like poselift's own lifters.

    poselift train mocap --lifter graph_lifter:GraphLifter --data mocap17.npz -o run --model.width 96
    poselift evaluate run/lifter.mocap.onnx --data mocap17.npz
    poselift lift video.mp4 -o out --lifter run/lifter.mocap.onnx

Run it in this folder, or put the folder on PYTHONPATH. docs/own_lifter.md says what each part is for.
"""

import torch
from torch import Tensor, nn

from poselift.skeleton import H36M_17


class GraphLifter(nn.Module):
    """Each joint's whole path is one token, and three layers mix tokens along the bones."""

    def __init__(self, in_frames: int = 27, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        self.skeleton, self.fps, self.in_channels = H36M_17, 50.0, 3
        self.in_frames, self.out_frames = in_frames, (in_frames // 2,)
        bones = torch.tensor(self.skeleton.adjacency) + torch.eye(len(self.skeleton))
        self.register_buffer("graph", bones / bones.sum(1, keepdim=True))
        self.embed = nn.Linear(in_frames * self.in_channels, width)
        self.mix = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(layers))
        self.head = nn.Linear(width, 3)

    def encode(self, x: Tensor) -> Tensor:
        """Map keypoints (B, T, J, C) to features (B, 1, J, width)."""
        tokens = self.embed(x.transpose(1, 2).flatten(2))
        for layer in self.mix:
            tokens = tokens + torch.relu(layer(torch.cat((tokens, self.graph @ tokens), 2)))
        return tokens.unsqueeze(1)

    def forward(self, x: Tensor) -> Tensor:
        """Map keypoints (B, T, J, C) to joints (B, 1, J, 3), root-relative metres."""
        return self.head(self.encode(x))
