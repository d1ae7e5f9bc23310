"""Read what `torch.save` wrote, from files that nobody vouches for: tensors, containers, numbers and text alone."""

import pickle
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from poselift.errors import CheckpointError, FormatError
from poselift.files import opened
from poselift.files.limits import NETWORK

_BROKEN = (
    struct.error, zipfile.BadZipFile, ArithmeticError, AssertionError, AttributeError, EOFError,
    ImportError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""Errors of `torch.load` on damaged files."""


def read_torch_file(path: Path, device: torch.device | str = "cpu") -> Any:
    """Return the content of a file that `torch.save` wrote. Code in the file is never run.

    Args:
        path: The file.
        device: The device that tensors are moved to.

    Raises:
        CheckpointError: The file is missing, too large or broken, or it holds anything that would need code to be run.
    """
    try:
        with opened(path, NETWORK) as file:
            if zipfile.is_zipfile(file):
                _check_records(file, path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of a protocol that it then reads or refuses
            return torch.load(path, map_location=device, weights_only=True)
    except FormatError as error:
        raise CheckpointError(str(error)) from error
    except pickle.UnpicklingError as error:  # its own message says how to run what is in the file
        message = f"{path} holds more than tensors, or is broken; it was refused and nothing in it was run"
        raise CheckpointError(message) from error
    except _BROKEN as error:
        reason = (str(error) or type(error).__name__).partition("\n")[0]
        raise CheckpointError(f"{path} is not a checkpoint, or is broken ({reason})") from error


def _check_records(file: Any, path: Path) -> None:
    """Check that the parts of a zip file take no more memory than the file has bytes, as those that torch writes do.

    Raises:
        FormatError: Parts are compressed or lie over each other.
        BadZipFile: The file is broken.
    """
    with zipfile.ZipFile(file) as archive:
        records = archive.infolist()
        size = file.seek(0, 2)
        if sum(record.file_size for record in records) > size or any(record.compress_type for record in records):
            raise FormatError(f"{path} holds compressed parts; wanted a file that torch.save wrote")
