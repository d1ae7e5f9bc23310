"""What ezc3d finds in a C3D file, put into an npz file: the part of reading C3D that another process does.

`c3d_content.py` starts it, as a script of its own, so that nothing but ezc3d and numpy is imported.
"""

import contextlib
import json
import sys


def main(path: str, target: str, memory: int) -> None:
    """Read a C3D file and write its content, or the reason why there is none.

    Args:
        path: The C3D file.
        target: The npz file that is written: `words` (JSON) and, where `words` has no `error`, `points` (T, J, 3) in
            the file's unit, `residuals` (T, J) and `analogs` (T, A).
        memory: Bytes that the process may have, where the system can bound it.
    """
    import numpy as np

    arrays = {}
    try:
        import ezc3d
    except ImportError as error:
        words = {"error": f"ezc3d cannot be imported: {error}", "broken": False}
    else:
        try:
            _bound(memory)
            content = ezc3d.c3d(path)
            groups, data = content["parameters"], content["data"]
            channels = list(groups["ANALOG"]["LABELS"]["value"])
            arrays = {
                "points": np.asarray(data["points"], np.float64)[:3].transpose(2, 1, 0),
                "residuals": np.asarray(data["meta_points"]["residuals"], np.float64)[0].T,
                "analogs": np.asarray(data["analogs"], np.float64)[0].T[:, : len(channels)],
            }
            words = {
                "labels": list(groups["POINT"]["LABELS"]["value"]),
                "unit": str(groups["POINT"]["UNITS"]["value"][0]),
                "fps": float(groups["POINT"]["RATE"]["value"][0]),
                "data_start": int(groups["POINT"]["DATA_START"]["value"][0]),
                "floats": bool(groups["POINT"]["SCALE"]["value"][0] < 0),
                "channels": channels[: arrays["analogs"].shape[1]],
                "notes": "".join(groups["POSELIFT"]["NOTES"]["value"]) if "POSELIFT" in groups else "",
            }
        except MemoryError:
            words = {"error": "it asks for more memory than a file of its size needs", "broken": True}
        except (OSError, RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            words = {"error": str(error) or type(error).__name__, "broken": True}
    if "error" in words:
        arrays = {}
    np.savez(target, words=np.frombuffer(json.dumps(words).encode("ascii"), np.uint8), **arrays)


def _bound(memory: int) -> None:
    """Bound the memory of this process; macOS and Windows do not, and there the limit on time alone bounds it."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, resource.getrlimit(resource.RLIMIT_AS)[1]))


if __name__ == "__main__":
    _said = json.load(sys.stdin)
    sys.path += [place for place in _said["places"] if place not in sys.path]
    main(_said["path"], _said["target"], _said["memory"])
