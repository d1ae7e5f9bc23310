"""From trained networks to files: weights, ONNX, cards and releases."""
