"""The application: the page, and the HTTP API that the page uses too. docs/serve.md describes it."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from poselift.errors import OutputError
from poselift.serve.bundle import zipped
from poselift.serve.job import ENDED, Job
from poselift.serve.line import Line
from poselift.serve.options import parse_options
from poselift.serve.page import page
from poselift.serve.refusal import Refusal
from poselift.serve.shown import show_brief, show_job, show_server
from poselift.serve.store import Store
from poselift.serve.upload import receive, throw_away, too_large

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_MOST_SHOWN = 200
_SANDBOX = "sandbox allow-scripts allow-downloads; frame-ancestors 'self'"
"""A result's page runs its own scripts, but is no part of this site: it cannot use the API."""


class Handlers:
    """What answers requests."""

    def __init__(self, store: Store, line: Line, formats: tuple[str, ...]) -> None:
        """Answer for these jobs.

        Args:
            store: The jobs.
            line: Lifts them.
            formats: Endings of the results.
        """
        self._store, self._line = store, line
        self._server = show_server(store.limits, formats)
        self._page, self._policy = page()
        self._uploads = 0

    def index(self, request: "Request") -> "Response":
        """Return the page."""
        from starlette.responses import Response

        return Response(self._page, media_type="text/html", headers={"content-security-policy": self._policy})

    def server(self, request: "Request") -> "Response":
        """Return what the server is and takes."""
        return _json(self._server)

    def jobs(self, request: "Request") -> "Response":
        """Return the newest jobs, or those older than the one named by `before`."""
        given = dict(request.query_params)
        most, before = given.pop("limit", str(_MOST_SHOWN)), given.pop("before", "")
        if given or not most.isdecimal() or not 1 <= int(most) <= _MOST_SHOWN:
            raise Refusal(
                400, "FormatError", f"wanted `limit` from 1 to {_MOST_SHOWN}, and `before` as the id of a job"
            )
        ids = self._store.ids()
        older = [id for id in ids if not before or id < before]
        shown = []
        for id in older[: int(most)]:
            try:
                shown.append(show_brief(self._store.get(id), self._line))
            except Refusal:  # removed since
                continue
        return _json({"jobs": shown, "count": len(ids), "more": len(older) > int(most)})

    async def upload(self, request: "Request") -> "Response":
        """Take a file and let it wait."""
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import ClientDisconnect

        given, body = list(request.query_params.multi_items()), request.stream()
        name = next((text for key, text in given if key == "name"), "")
        length = request.headers.get("content-length", "")
        size = int(length) if length.isdecimal() else self._store.limits.upload_bytes
        job: Job | None = None
        self._uploads += 1
        try:
            with ExitStack() as stack:
                try:
                    self._check_upload(request, name)
                    options = parse_options((key, text) for key, text in given if key != "name")
                    if size > self._store.limits.upload_bytes:
                        raise too_large(self._store.limits)
                    stack.enter_context(self._store.room(size))
                except Refusal:
                    if request.headers.get("expect", "").lower() != "100-continue":  # else nothing is sent
                        await throw_away(body)
                    raise
                job = await run_in_threadpool(self._store.new, name, options)
                came = await receive(body, self._store.input(job), self._store.limits)
                job = await run_in_threadpool(self._line.put, replace(job, bytes=came))
        except ClientDisconnect as error:
            raise Refusal(400, "FormatError", "the upload was broken off; send the file again") from error
        finally:
            self._uploads -= 1
            if job is not None and job.state == "uploading":
                self._store.remove(job.id)
        return _json(show_job(job, self._line), 201)

    def job(self, request: "Request") -> "Response":
        """Return a job."""
        return _json(show_job(self._asked(request), self._line))

    def again(self, request: "Request") -> "Response":
        """Lift the file of a job once more, with other options, as another job."""
        asked = self._asked(request)
        options = parse_options(request.query_params.multi_items())
        if asked.state == "uploading":
            raise Refusal(409, "OutputError", f"job {asked.id} is still coming in; wait until it has")
        self._check_alive()
        with self._store.room(asked.bytes):
            job = self._line.put(self._store.new(asked.name, options, copy_of=asked))
        return _json(show_job(job, self._line), 201)

    def stop(self, request: "Request") -> "Response":
        """End a job and keep its file."""
        return _json(show_job(self._line.stop(self._asked(request).id), self._line))

    def remove(self, request: "Request") -> "Response":
        """End a job if it has not ended, and delete all its files."""
        job = self._line.stop(self._asked(request).id)
        if job.state not in ENDED:
            raise Refusal(409, "OutputError", f"job {job.id} is still coming in; end the upload")
        self._store.remove(job.id)
        return _json({"id": job.id, "removed": True})

    def file(self, request: "Request") -> "Response":
        """Return a result, to be saved."""
        from starlette.responses import FileResponse

        name = request.path_params["name"]
        path = self._store.result(self._asked(request), name)
        return FileResponse(path, filename=name, media_type="application/octet-stream")

    def shown(self, request: "Request") -> "Response":
        """Return the page of a job's results, to be looked at."""
        from starlette.responses import FileResponse

        job = self._asked(request)
        name = next((file.name for file in job.files if file.name.endswith(".html")), "page")
        headers = {"content-security-policy": _SANDBOX, "cross-origin-opener-policy": "unsafe-none"}
        return FileResponse(self._store.result(job, name), media_type="text/html", headers=headers)

    def everything(self, request: "Request") -> "Response":
        """Return all results as a zip file."""
        from urllib.parse import quote

        from starlette.responses import StreamingResponse

        job = self._asked(request)
        if not job.files:
            raise Refusal(404, "FormatError", f"job {job.id} has no results; its `state` and `errors` say why")
        name = quote(f"{job.name.rpartition('.')[0] or job.name}.zip")
        headers = {"content-disposition": f"attachment; filename*=utf-8''{name}"}
        pieces = zipped([self._store.result(job, file.name) for file in job.files])
        return StreamingResponse(pieces, media_type="application/zip", headers=headers)

    def _asked(self, request: "Request") -> Job:
        return self._store.get(request.path_params["id"])

    def _check_alive(self) -> None:
        if not self._line.alive:
            raise Refusal(503, "InternalError", "jobs are not lifted any more, by a fault of ours; restart the server")

    def _check_upload(self, request: "Request", name: str) -> None:
        self._check_alive()
        if self._uploads > self._store.limits.uploads:
            raise Refusal(503, "OutputError", "too many files come in at once; send this one again in a moment")
        if not name:
            raise Refusal(400, "FormatError", "wanted the name of the file; add ?name=clip.mp4 to the address")
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise Refusal(
                415, "FormatError",
                "wanted the file itself as the body, got a form; with curl: curl -T clip.mp4 'ADDRESS?name=clip.mp4'",
            )  # fmt: skip


def application(handlers: Handlers) -> "Starlette":
    """Return the application that answers by these handlers."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    on = handlers
    job = "/api/jobs/{id}"
    routes: list[tuple[str, str, Callable[..., Any]]] = [
        ("GET", "/", on.index),
        ("GET", "/api", on.server),
        ("GET", "/api/jobs", on.jobs),
        ("POST", "/api/jobs", on.upload),
        ("PUT", "/api/jobs", on.upload),
        ("GET", job, on.job),
        ("DELETE", job, on.remove),
        ("POST", f"{job}/again", on.again),
        ("POST", f"{job}/stop", on.stop),
        ("GET", f"{job}/files/{{name}}", on.file),
        ("GET", f"{job}/page", on.shown),
        ("GET", f"{job}/everything.zip", on.everything),
    ]
    return Starlette(
        routes=[Route(path, handler, methods=[method]) for method, path, handler in routes],
        exception_handlers={Refusal: _refused, OutputError: _refused, HTTPException: _refused},
    )


async def _refused(request: "Request", error: Exception) -> "Response":
    """Answer with what was wrong."""
    if isinstance(error, Refusal):
        refusal = error
    elif isinstance(error, OutputError):
        refusal = Refusal(507, type(error).__name__, str(error))
    else:
        status = getattr(error, "status_code", 500)
        what = "has no page" if status == 404 else "does not take this method"
        refusal = Refusal(status, "FormatError", f"{request.url.path[:100]} {what}; docs/serve.md lists what there is")
    return _json(refusal.content(), refusal.status, close=refusal.status in (408, 413))


def _json(content: dict[str, Any], status: int = 200, *, close: bool = False) -> "Response":
    from starlette.responses import Response

    headers = {"connection": "close"} if close else None
    return Response(json.dumps(content), status, headers, media_type="application/json")
