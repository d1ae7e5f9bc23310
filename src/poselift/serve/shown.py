"""What the HTTP API says of jobs and of the server; docs/serve.md lists the keys."""

import re
from typing import Any
from urllib.parse import quote

from poselift.formats.angle_table import ANGLES_END
from poselift.formats.table import POSE_FORMATS
from poselift.read import VIDEO_ENDINGS
from poselift.serve.job import Job
from poselift.serve.limits import Limits
from poselift.serve.line import Line
from poselift.serve.options import DEFAULTS, OPTIONS, arguments
from poselift.version import __version__

_PERSON = re.compile(r"_person(\d+)(?:_part\d+)?(?:_angles)?\.")
_OTHERS = {
    ANGLES_END: "joint angles, a row for each frame",
    "_keypoints.npz": "2D keypoints of everybody; lifting them again needs no video",
    ".bvh.json": "what BVH has no place for: which joints were not seen, the camera, how it was made",
    ".trc.json": "what TRC has no place for: which joints were not seen, the camera, how it was made",
}
"""What files are whose endings are not in the table of formats."""


def show_server(limits: Limits, formats: tuple[str, ...]) -> dict[str, Any]:
    """Return what is known of the server: `GET /api`."""
    return {
        "poselift": __version__,
        "limits": {
            "upload_bytes": limits.upload_bytes, "job_s": limits.job_s, "memory_bytes": limits.memory_bytes,
            "space_bytes": limits.space_bytes,
        },
        "options": [
            {
                "name": option.name, "kind": option.kind, "what": option.what, "choices": list(option.choices),
                "default": DEFAULTS.get(option.name),
            }
            for option in OPTIONS.values()
        ],
        "formats": [{"ending": ending, "what": POSE_FORMATS[f".{ending}"].what} for ending in formats],
        "video_endings": list(VIDEO_ENDINGS),
    }  # fmt: skip


_FULL = ("messages", "result", "files", "command")


def show_brief(job: Job, line: Line) -> dict[str, Any]:
    """Return what a list says of a job: all but what may be long."""
    return {key: value for key, value in show_job(job, line).items() if key not in _FULL}


def show_job(job: Job, line: Line) -> dict[str, Any]:
    """Return what is known of a job: `GET /api/jobs/ID`."""
    url = f"/api/jobs/{job.id}"
    progress = line.progress(job.id) if job.state == "running" else None  # the line lets go of it a moment later
    page = next((file.name for file in job.files if file.name.endswith(".html")), None)
    return {
        "id": job.id,
        "url": url,
        "name": job.name,
        "bytes": job.bytes,
        "kept_bytes": job.kept_bytes,
        "options": job.options,
        "command": " ".join(["poselift lift", _quoted(job.name), "-o out", *map(_quoted, arguments(job.options))]),
        "state": job.state,
        "place": line.place(job.id) if job.state == "waiting" else None,
        "progress": None
        if progress is None
        else {"step": progress.step, "done": progress.done, "total": progress.total},
        "created_s": job.created_s,
        "started_s": job.started_s,
        "ended_s": job.ended_s,
        "people": len({_person(file.name) for file in job.files} - {None}) or int(bool(job.files)),
        "status": job.status,
        "errors": list(job.errors),
        "messages": list(job.messages),
        "result": job.result,
        "files": [
            {
                "name": file.name, "bytes": file.bytes, "person": _person(file.name), "what": _what(file.name),
                "url": f"{url}/files/{quote(file.name)}",
            }
            for file in job.files
        ],
        "page": None if page is None else f"{url}/page",
        "everything": f"{url}/everything.zip" if job.files else None,
    }  # fmt: skip


def _person(name: str) -> int | None:
    found = _PERSON.search(name)
    return int(found[1]) if found else None


def _what(name: str) -> str:
    for ending, what in _OTHERS.items():
        if name.endswith(ending):
            return what
    row = POSE_FORMATS.get(f".{name.rpartition('.')[2]}")
    return "" if row is None else row.what


def _quoted(word: str) -> str:
    """Return a word as a shell takes it."""
    return word if re.fullmatch(r"[\w./=,:@+-]+", word) else "'" + word.replace("'", "'\\''") + "'"
