"""PoseCLR: contrastive pre-training over viewpoints."""
