"""The page of the server, put together from its parts into one file that loads nothing."""

import base64
import hashlib
import re
from importlib import resources

_SCRIPTS = ("basics", "options", "drop", "jobs", "detail", "start")
"""Of the page, in the order in which they run."""


def page() -> tuple[str, str]:
    """Return the page, and the policy that lets a browser run nothing but what it holds."""
    style, script = _part("style.css"), "\n".join(_part(f"{name}.js") for name in _SCRIPTS)
    fill = {"STYLE": style, "SCRIPT": script}
    html = re.sub("@@(STYLE|SCRIPT)@@", lambda match: fill[match[1]], _part("page.html"))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; connect-src 'self'; "
        "media-src blob:; img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _part(name: str) -> str:
    return resources.files(__package__).joinpath("web", name).read_text(encoding="utf-8")
