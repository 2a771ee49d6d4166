"""The documents: links lead somewhere, commands exist, Python blocks run."""

import ast
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/**/*.md")]
    if path.is_file()
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def blocks(document: Path, language: str) -> list[str]:
    found = BLOCK.findall(document.read_text(encoding="utf-8"))
    return [code for tongue, code in found if tongue == language]


def command_lines() -> list[str]:
    """The shell commands of all documents, continuation lines joined."""
    text = "\n".join(code for path in DOCUMENTS for code in blocks(path, "sh"))
    lines = text.replace("\\\n", " ").splitlines()
    commands = [part.strip() for line in lines for part in line.split("&&")]
    return sorted({command for command in commands if command and not command.startswith("#")})


COMMANDS = [shlex.split(line, comments=True) for line in command_lines()]
AMESH = [words for words in COMMANDS if Path(words[0]).name == "amesh"]
NOX = [words for words in COMMANDS if Path(words[0]).name == "nox"]
PYTHON = [
    pytest.param(code, id=f"{path.stem}-{number}")
    for path in DOCUMENTS
    for number, code in enumerate(blocks(path, "python"))
]


def slug(heading: str) -> str:
    """The anchor that a renderer makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_resolve(document: Path) -> None:
    text = BLOCK.sub("", document.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), f"{document.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), f"{document.name} links to {target}"


def test_documents_have_commands_and_python() -> None:
    assert len(AMESH) >= 5
    assert len(NOX) >= 2
    assert PYTHON


@pytest.mark.parametrize("words", AMESH, ids=" ".join)
def test_amesh_commands_are_as_help_says(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from amesh.cli import main

    verbs = [word for word in words[1:3] if re.fullmatch(r"[a-z]+", word)]
    verbs = verbs if verbs[:1] in (["weights"], ["export"], ["data"]) else verbs[:1]
    try:
        code = main([*verbs, "--help"])
    except SystemExit as end:
        code = end.code
    assert not code
    text = capsys.readouterr().out
    for option in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), f"{option} is not in the help"


@pytest.mark.parametrize("words", NOX, ids=" ".join)
def test_nox_sessions_exist(words: list[str]) -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    sessions = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("session" in ast.unparse(one) for one in node.decorator_list)
    }
    named = words[words.index("-s") + 1] if "-s" in words else None
    assert named is None or named in sessions


@pytest.mark.weights
@pytest.mark.parametrize("code", PYTHON)
def test_python_blocks_run(
    code: str, astronaut: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(astronaut).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "document", "exec"), {"__name__": "document"})


@pytest.mark.parametrize("code", PYTHON)
def test_python_blocks_name_what_is_public(code: str) -> None:
    import amesh

    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "amesh":
            assert node.attr in amesh.__all__


def test_set_up_is_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox -s demo" in readme
    assert "\n.venv/bin/nox -s tests\n" in readme
