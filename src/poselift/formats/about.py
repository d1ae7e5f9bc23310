"""What files say about where they come from: which version wrote them, and what made the poses."""

from poselift.errors import FormatError
from poselift.version import __version__


def written_by() -> str:
    """Return the name and version of this program."""
    return f"poselift {__version__}"


def parse_about(content: object, name: str) -> dict[str, str]:
    """Return `Poses3D.about` from the content of a file.

    Args:
        content: What the file holds.
        name: Name of the file, for the error.

    Raises:
        FormatError: It is something else than texts by name.
    """
    if not isinstance(content, dict) or not all(isinstance(text, str) for pair in content.items() for text in pair):
        raise FormatError(f"{name}: wanted texts by name as 'about', got {str(content)[:60]}")
    return content
