"""Write int8 forms of weights that ship: NAME-int8.onnx and its card, beside them, measured on that very file.

Usage: python scripts/quantize_weights.py NAME ... --data mocap27.npz --recording RECORDING.npz ... [--smaller 4]

Run `python scripts/weights_table.py` afterwards, to bring the README's table up to date.
"""

import argparse
from pathlib import Path

from poselift.lab.export.int8 import CALIBRATION_WINDOWS
from poselift.lab.export.release_int8 import release_int8, training_windows
from poselift.lifters.onnx import OnnxLifter
from poselift.measure.claims import Sources

WEIGHTS = Path(__file__).resolve().parents[1] / "src" / "poselift" / "weights"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recording", type=Path, nargs="+", required=True)
    parser.add_argument("--smaller", type=float, default=4.0)
    args = parser.parse_args()
    sources = Sources(args.data, args.recording)
    for name in args.names:
        weights = WEIGHTS / f"{name}.onnx"
        windows = training_windows(OnnxLifter(weights, threads=1), args.data, 2 * CALIBRATION_WINDOWS)
        card = release_int8(weights, WEIGHTS, sources, windows, smaller=args.smaller)
        scores = {score: value.mean["p_mpjpe"] for score, value in card.scores.items()}
        print(card.name, (WEIGHTS / f"{card.name}.onnx").stat().st_size, scores, card.speed)


if __name__ == "__main__":
    main()
