"""Damaged files of every kind are read or refused; none leaves as a traceback, whatever was damaged.

About 25,000 files, a minute on one core; POSELIFT_FUZZ sets the number of files of a kind. benchmarks/fuzz.py tries the
same files with time and memory measured, and as an unprivileged user.
"""

import os

import pytest
from cases import try_case
from seeds import all_seeds

CASES = int(os.environ.get("POSELIFT_FUZZ", "325"))
SEEDS = {seed.name: (seed, write) for seed, write in all_seeds()}


@pytest.mark.parametrize("name", SEEDS)
def test_damage_is_refused_or_harmless(name, tmp_path):
    seed, write = SEEDS[name]
    write(tmp_path)
    seed.read(tmp_path)
    whole = (tmp_path / seed.file).read_bytes()
    read, cases = 0, range(CASES) if seed.cases is None else seed.cases[:CASES]
    for number in cases:
        try:
            read += try_case(seed, tmp_path, whole, number)
        except Exception as error:
            raise AssertionError(f"{name}, case {number}: {type(error).__name__}: {error}") from error
    assert read < len(cases) or name == "log", "nothing was damaged"  # a log is read without its damaged lines
