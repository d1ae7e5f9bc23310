import inspect
import re
from pathlib import Path

import pytest

from poselift import errors
from poselift.errors import PoseliftError, did_you_mean, install_hint

CLASSES = {name: cls for name, cls in vars(errors).items() if inspect.isclass(cls) and issubclass(cls, PoseliftError)}


def documented_tree() -> dict[str, tuple[str, str | None]]:
    """Class: (its parent, its built-in base), as drawn in the module's docstring."""
    found, stack = {}, ["PoseliftError"]
    for line in errors.__doc__.splitlines():
        match = re.match(r"    ([│ ]*)[├└]── (\w+) +(?:\((\w+)\))?", line)
        if match:
            depth = len(match[1]) // 4 + 1
            stack[depth:] = [match[2]]
            found[match[2]] = (stack[depth - 1], match[3])
    return found


def test_the_drawn_tree_is_the_one_that_exists():
    tree = documented_tree()
    assert set(tree) | {"PoseliftError"} == set(CLASSES)
    for name, (parent, builtin) in tree.items():
        bases = [base.__name__ for base in CLASSES[name].__bases__]
        assert bases == [parent, *([builtin] if builtin else [])], name


def test_the_drawing_was_read():
    assert len(documented_tree()) == 14
    assert documented_tree()["MissingData"] == ("DatasetError", "OSError")
    assert documented_tree()["OutputExistsError"] == ("OutputError", None)


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"PoseliftError"}))
def test_every_error_is_also_a_builtin_one_and_keeps_its_message(name):
    assert issubclass(CLASSES[name], ValueError | OSError | ImportError | TypeError)
    assert str(CLASSES[name]("wanted this, got that")) == "wanted this, got that"


def test_a_close_name_is_suggested_and_otherwise_all_are_listed():
    assert did_you_mean("nanohtnt", ["htnet", "nanohtnet"]) == "did you mean 'nanohtnet'?"
    assert did_you_mean("zzz", iter(["htnet", "nanohtnet"])) == "known: htnet, nanohtnet"


def test_how_to_install_a_part(tmp_path, monkeypatch):
    """From a checkout the command names it; from a wheel, or beside another project, it names a place to fill in."""
    later = ' (once poselift is published: pip install "poselift[lab]")'
    code = tmp_path / "src" / "poselift" / "errors.py"
    monkeypatch.setattr(errors, "__file__", str(code))
    anywhere = 'pip install "/path/to/the/checkout[lab]"'
    assert install_hint("lab") == anywhere + later
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert install_hint("lab") == anywhere + later
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "poselift"\n')
    assert install_hint("lab") == f'pip install -e "{tmp_path}[lab]"' + later


def test_how_to_install_a_part_is_said_in_one_place():
    source = Path(errors.__file__).parent
    saying = {path.name for path in source.rglob("*.py") if re.search("pip install.*poselift", path.read_text("utf-8"))}
    assert saying == {"errors.py"}


def test_names_of_a_million_letters_are_compared_by_their_beginning():
    assert errors.did_you_mean("nosee" + "x" * 10**7, ["eye", "nose"]) == "known: eye, nose"
    assert errors.did_you_mean("nosee", ["eye", "nose"]) == "did you mean 'nose'?"
    assert errors.did_you_mean("b", [f"name {n}" for n in range(100_000)]).endswith("name 499")
