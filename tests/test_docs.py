"""The pages: links lead somewhere, the site's contents name every page, and what a page says of the code is there.

`make docs` builds the site; this holds what would break it, without Sphinx.
"""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest

import poselift

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SOURCE = Path(poselift.__file__).parents[1]
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
MOST_BYTES = 1_500_000


@cache
def headings(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#{1,6} +(.+?) *$", FENCE.sub("", path.read_text("utf-8")), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in plain}


def anchors(path: Path) -> set[str]:
    return headings(path) | set(re.findall(r'(?:id|name)="([^"]+)"', path.read_text("utf-8")))


def broken(path: Path, text: str) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for link in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    assert broken(path, path.read_text("utf-8")) == []


def test_the_check_of_links_can_fail():
    text = "[a](nothing.md) [b](formats.md#nothing) [c](formats.md#converting) [d](https://example.org) `[e](f)`"
    assert broken(DOCS / "index.md", text) == ["nothing.md", "formats.md#nothing"]


def test_the_contents_name_every_page_once():
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```", (DOCS / "index.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    named = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    pages = [path.relative_to(DOCS).with_suffix("").as_posix() for path in PAGES]
    assert sorted([*named, "index"]) == sorted(pages)


def test_the_reference_has_every_public_name_once():
    text = (DOCS / "reference.md").read_text("utf-8")
    named = re.findall(r"^\.\. auto(\w+):: poselift\.(\w+)$", text, re.MULTILINE)
    assert sorted(name for _, name in named) == sorted(poselift.__all__)
    for kind, name in named:
        thing = getattr(poselift, name)
        if isinstance(thing, type):
            assert kind == ("exception" if issubclass(thing, Exception) else "class"), name
        else:
            assert kind == ("function" if callable(thing) else "data"), name
        assert thing.__doc__, name


def equations() -> list[tuple[str, str]]:
    rows = re.findall(r"^\| (.+?) \| .+ \| `([\w.]+)` \|$", (DOCS / "equations.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) > 15
    return [(equation, f"poselift.lab.{symbol}") for equation, symbol in rows]


def sources(symbol: str) -> tuple[str, str]:
    """The source of a symbol and the docstring of its class, read without importing what needs torch."""
    parts = symbol.split(".")
    cut = next(n for n in range(len(parts), 0, -1) if (SOURCE / Path(*parts[:n])).with_suffix(".py").is_file())
    text = (SOURCE / Path(*parts[:cut])).with_suffix(".py").read_text("utf-8")
    node, above = ast.parse(text), ""
    for name in parts[cut:]:
        above += ast.get_docstring(node) or ""
        node = next(part for part in node.body if getattr(part, "name", "") == name)
    return ast.get_source_segment(text, node), above


@pytest.mark.parametrize(("equation", "symbol"), equations())
def test_an_equation_is_computed_where_the_page_says(equation, symbol):
    label = re.sub(r" \((code|inferred)\)", "", equation)
    body, above = sources(symbol)
    number = label.removeprefix("Eq. ")
    named = re.compile(rf"Eq\. (\d+(-| and | or ))?{re.escape(number)}\b") if number != label else re.compile(label)
    assert named.search(body) or named.search(above), f"{symbol} does not name {label}"


def test_a_missing_symbol_is_found():
    with pytest.raises(StopIteration):
        sources("poselift.lab.models.posessm_scan.JointStateSpace.nothing")


def test_papers_are_cited_as_in_the_citation_file():
    page, cff = ((path).read_text("utf-8") for path in (DOCS / "citing.md", ROOT / "CITATION.cff"))
    titles = re.findall(r'^\s*(?:- )?title: "(.+)"$', cff, re.MULTILINE)
    assert len(titles) == 5 and all(f"{{{title}}}" in page for title in titles)
    for fact in re.findall(r"^ +(?:doi|url|volume|issue|year|start|end): \"?([^\"\n]+)\"?$", cff, re.MULTILINE):
        assert fact in page, fact
    assert f"version = {{{poselift.__version__}}}" in page
    assert f"version: {poselift.__version__}" in cff


def test_pictures_are_shown_and_few_bytes():
    pictures = sorted((DOCS / "images").rglob("*.*"))
    pages = "".join(path.read_text("utf-8") for path in [ROOT / "README.md", *PAGES])
    unused = [path.name for path in pictures if f"{path.relative_to(DOCS).as_posix()}" not in pages]
    assert unused == []
    gallery = [path for path in pictures if path.parent.name == "gallery"]
    assert len(gallery) >= 5
    assert sum(path.stat().st_size for path in gallery) < MOST_BYTES


def test_docstrings_become_what_sphinx_reads():
    spec = importlib.util.spec_from_file_location("conf", DOCS / "conf.py")
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    lines = ["(*, 3) `xyz`, ``as is`` and **options of x_", "so::", "", "    a * `b`", "", "a * b"]
    conf._as_restructured(None, "function", "", None, None, lines)
    assert lines == [
        r"(\*, 3) ``xyz``, ``as is`` and \*\*options of x\_", "so::", "", "    a * `b`", "", r"a \* b",
    ]  # fmt: skip
