"""Release finished runs: write files into src/poselift/weights and weights, with cards measured on those files.

Usage: python scripts/release_weights.py RUN/NAME.onnx ... --data mocap27.npz --recording RECORDING.npz ...
       python scripts/release_weights.py --missing --data mocap27.npz --recording RECORDING.npz ...
       python scripts/release_weights.py --calibrate NAME ... --data mocap27.npz --recording RECORDING.npz ...

`--calibrate` fits the spread of shipped weights anew and measures their cards again; joints stay as they are.
`--missing` measures the scores that cards of shipped weights lack, if the others were measured on that motion capture.

Run `python scripts/weights_table.py` afterwards, to bring the README's table up to date.
"""

import argparse
from pathlib import Path

from poselift.lab.export.release import measure_missing, recalibrate, release
from poselift.lifters.card import Card
from poselift.measure.claims import Sources

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "src/poselift/weights"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--missing", action="store_true", help="measure what the cards of shipped weights lack")
    parser.add_argument(
        "--anew", nargs="+", default=[], help="with --missing: words; measure scores again that hold one"
    )
    parser.add_argument("--calibrate", nargs="+", default=[], metavar="NAME", help="shipped weights to calibrate anew")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recording", type=Path, nargs="+", required=True)
    args = parser.parse_args()
    sources = Sources(args.data, args.recording)
    if args.missing:
        for path in sorted(SHIPPED.glob("*.json")):
            if Card.read(path).scores["exact 2D"].data == args.data.name:
                print(path.name, measure_missing(path, sources, args.anew), flush=True)
    made = [(release, (run, SHIPPED)) for run in args.runs]
    made += [(recalibrate, (SHIPPED / f"{name}.json",)) for name in args.calibrate]
    for make, paths in made:
        card = make(*paths, ROOT / "weights", sources)
        print(card.name, {name: score.mean["p_mpjpe"] for name, score in card.scores.items()}, card.speed)


if __name__ == "__main__":
    main()
