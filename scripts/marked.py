"""Put text into a page between the comments `<!-- NAME -->` and `<!-- /NAME -->`, for scripts that make tables."""


def with_marked(page: str, name: str, text: str) -> str:
    """Return the page with `text` between the comments, in the place of what was there.

    Raises:
        SystemExit: The page lacks the comments.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise SystemExit(f"the page lacks {begin.strip()} and {end}; put them where the text belongs")
    return f"{before}{begin}{text}{end}{after}"
