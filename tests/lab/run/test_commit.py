"""Which commit of ours runs, and that nobody else's repository is taken for it."""

import importlib
import re
import subprocess

import pytest

pytest.importorskip("torch")

from poselift.lab.run.commit import commit

module = importlib.import_module("poselift.lab.run.commit")


def test_the_commit_is_told_or_unknown(monkeypatch, tmp_path):
    assert re.fullmatch(r"[0-9a-f]{12,}(-dirty)?|v?[\w.+-]+|unknown", commit())
    monkeypatch.setattr(module, "__file__", str(tmp_path / "commit.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == "unknown"


def test_the_commit_of_somebody_elses_repository_is_not_ours(monkeypatch, tmp_path):
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "theirs"]):
        author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *author, *arguments], cwd=tmp_path, check=True)
    package = tmp_path / "venv" / "poselift"
    package.mkdir(parents=True)
    (package / "commit.py").write_text("")
    monkeypatch.setattr(module, "__file__", str(package / "commit.py"))
    assert commit() == "unknown"
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    assert commit().endswith("-dirty")
