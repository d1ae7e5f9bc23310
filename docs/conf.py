"""How Sphinx makes a site of these pages and of the docstrings: `make docs`, into dist/site.

The site loads nothing from outside: no fonts, no scripts of other hosts. Every warning is an error.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from poselift.version import __version__

project = "poselift"
author = "The poselift authors"
copyright = "2026, the poselift authors"  # noqa: A001
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"poselift {__version__}"
html_show_sourcelink = False
html_copy_source = False
html_show_search_summary = False  # it would fetch pages, which a browser refuses for files on disk
exclude_patterns = ["conf.py"]
suppress_warnings = ["misc.highlighting_failure"]  # blocks with "..." in the place of what does not matter

myst_heading_anchors = 4  # links to headings work as in the repository
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}
autodoc_preserve_defaults = True
autodoc_class_signature = "separated"
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
default_role = "literal"

_LITERAL = re.compile(r"(``.+?``|(?<!`)`[^`\n]+`(?!`))")


def _as_restructured(app, what, name, obj, options, lines):
    """Turn a docstring's Markdown into what Sphinx reads: `x` is literal, and stars and bars are only themselves."""
    block = False
    for number, line in enumerate(lines):
        if block and line.strip() and not line.startswith(" "):
            block = False
        if not block:
            parts = _LITERAL.split(line)
            parts[::2] = [re.sub(r"(?<!\\)([*|_](?!\w)|\*)", r"\\\1", part) for part in parts[::2]]
            parts[1::2] = [f"``{part.strip('`')}``" for part in parts[1::2]]
            lines[number] = "".join(parts)
        block = block or line.rstrip().endswith("::")


def setup(app):
    """Connect the hook, before napoleon's own, which makes fields of the sections."""
    app.connect("autodoc-process-docstring", _as_restructured, priority=100)
