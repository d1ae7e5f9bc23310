"""Names of uploaded files: what a browser or program says is made a name that is safe on every file system."""

import re
import unicodedata

_LONGEST_STEM, _LONGEST_ENDING = 100, 16
"""Bytes of a name before its ending, and characters of the ending: results add to both."""
_FORBIDDEN = frozenset('<>:"|?*')
"""What Windows does not take in names, besides what cannot be printed."""
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)
"""Devices of Windows, with any ending."""
UNNAMED = "clip"


def safe_name(name: str) -> str:
    """Return the name under which an uploaded file is kept: one part of a path, on every system.

    Folders, control characters, marks that turn the direction of writing, leading dots and dashes, and what Windows
    refuses are left out; letters of every language stay. The ending, by which readers know a file, stays.

    Args:
        name: What the sender calls the file; anything.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    plain = "".join(letter for letter in last if letter.isprintable() and letter not in _FORBIDDEN)
    stem, point, ending = plain.rpartition(".")
    if not point:
        stem, ending = plain, ""
    ending = re.sub(r"\W", "", ending)[:_LONGEST_ENDING]
    stem = stem.strip(" .").lstrip("-~ .")
    stem = stem.encode()[:_LONGEST_STEM].decode("utf-8", "ignore").rstrip(" .") or UNNAMED
    if _RESERVED.fullmatch(stem.split(".")[0].strip()):
        stem = f"_{stem}"
    return f"{stem}.{ending}" if ending else stem
