"""The commands that made the weights run in turn, each once, and go on where they stopped."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = """# A page

```sh
echo not this
```

## The commands

```sh
echo one \\
    two >> said
amesh fit --config first
VALUE=3 amesh fit --config second
test ! -e faulty
echo last >> said
```

```sh
echo nor this
```
"""


@pytest.fixture
def recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("weights", ROOT / "docs" / "weights.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def amesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the program: notes its arguments."""
    program = tmp_path / "bin" / "amesh"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$VALUE amesh $@" >> said\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program


def test_each_command_runs_once_and_a_failed_one_again(
    recipe: ModuleType, amesh: Path, tmp_path: Path
) -> None:
    (tmp_path / "faulty").touch()
    assert recipe.make(PAGE, tmp_path) == 1
    (tmp_path / "faulty").unlink()
    assert recipe.make(PAGE, tmp_path) == 0
    assert recipe.make(PAGE, tmp_path) == 0
    said = (tmp_path / "said").read_text().splitlines()
    assert said == ["one two", " amesh fit --config first", "3 amesh fit --config second", "last"]


def test_an_interrupted_training_goes_on_in_its_own_folder(
    recipe: ModuleType, amesh: Path, tmp_path: Path
) -> None:
    last = tmp_path / "logs" / "version_1" / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.touch()
    recipe.make(PAGE, tmp_path)
    said = (tmp_path / "said").read_text().splitlines()
    assert said[1:3] == [
        " amesh fit --config first",
        f"3 amesh fit --config second --ckpt_path {last}",
    ]


def test_a_changed_command_runs_again(recipe: ModuleType, amesh: Path, tmp_path: Path) -> None:
    recipe.make(PAGE, tmp_path)
    recipe.make(PAGE.replace("echo last", "echo changed"), tmp_path)
    assert (tmp_path / "said").read_text().splitlines()[-2:] == ["last", "changed"]


def test_the_page_begins_with_importing_and_ends_with_the_packed_weights(
    recipe: ModuleType,
) -> None:
    found = recipe.commands((ROOT / "docs" / "weights.md").read_text())
    assert found[0] == "amesh weights import"
    assert found[-1].startswith("amesh weights pack")
    with pytest.raises(ValueError, match="no commands"):
        recipe.commands("# Another page")


def test_a_folder_of_the_user_is_left_alone(
    recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "make", lambda page, folder: 0)
    faces, folder = tmp_path / "pictures", tmp_path / "made"
    faces.mkdir()
    assert recipe.main(faces, folder) == recipe.main(faces, folder) == 0
    assert (folder / "faces").resolve() == faces
    (folder / "faces").unlink()
    (folder / "faces").mkdir()
    with pytest.raises(SystemExit, match="faces: not a link made by this script"):
        recipe.main(faces, folder)
    assert (folder / "faces").is_dir()
