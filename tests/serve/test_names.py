import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.files import result_name
from poselift.serve.names import safe_name


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("/etc/shadow", "shadow"),
        (r"..\..\windows\win.ini", "win.ini"),
        ("C:\\videos\\clip.mov", "clip.mov"),
        ("clip\0.mp4", "clip.mp4"),
        ("clip.mp4\0.exe", "clip.mp4.exe"),
        ("a\nb\r\x1b[31m.json", "ab[31m.json"),
        ("", "clip"),
        (".", "clip"),
        ("..", "clip"),
        ("...mp4", "clip.mp4"),
        (".mp4", "clip.mp4"),
        (".bashrc", "clip.bashrc"),
        ("-rf.json", "rf.json"),
        ("-", "clip"),
        ("~root.json", "root.json"),
        ("con.mp4", "_con.mp4"),
        ("NUL", "_NUL"),
        ("lpt1.tar.npz", "_lpt1.tar.npz"),
        ("conclave.mp4", "conclave.mp4"),
        ('walk ?*<>|:".csv', "walk.csv"),
        ("name . .mp4", "name.mp4"),
        ("Läufer 走る.mp4", "Läufer 走る.mp4"),
        ("La\u0308ufer.mp4", "Läufer.mp4"),  # letters as macOS sends them
        ("\u202egpj.mp4", "gpj.mp4"),
        ("clip.m/p4", "p4"),
        ("clip.m:p4", "clip.mp4"),
    ],
)
def test_names_become_safe(said, kept):
    assert safe_name(said) == kept


@pytest.mark.parametrize("letter", ["a", "ä", "走", "🏃"])
def test_long_names_are_cut_and_keep_their_ending(letter):
    name = safe_name(letter * 5000 + ".mp4")
    assert name.endswith(f"{letter}.mp4") and len(name.encode()) <= 104


@given(st.text(max_size=300))
def test_any_name_is_one_part_of_a_path(tmp_path_factory, said):
    name = safe_name(said)
    assert safe_name(name) == name
    assert not re.search(r'[/\\\0<>:"|?*]', name) and name[0] not in ".-~ " and name[-1] not in ". "
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(b"1")
    assert path.resolve().parent == tmp_path_factory.getbasetemp().resolve()
    assert result_name(path) == path.stem
    path.unlink()
