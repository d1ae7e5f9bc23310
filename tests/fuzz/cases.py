"""One case of the fuzz: a damaged file is read, or refused by an error of ours."""

import warnings
import zlib
from pathlib import Path

import numpy as np
from mutations import mutate
from seeds import Seed

from poselift.errors import PoseliftError


def damaged(seed: Seed, whole: bytes, number: int) -> bytes:
    """The damaged copy with a number; always the same one."""
    return mutate(whole, seed.kind, np.random.default_rng((zlib.crc32(seed.name.encode()), number)))


def try_case(seed: Seed, folder: Path, whole: bytes, number: int) -> bool:
    """Read a damaged copy in the place of the whole file; warnings are errors.

    Returns:
        Whether it was read; it was refused otherwise.
    """
    (folder / seed.file).write_bytes(damaged(seed, whole, number))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            seed.read(folder)
    except PoseliftError as error:
        assert str(error), "an error without a message"
        return False
    return True
