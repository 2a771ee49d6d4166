"""The documents: links lead somewhere, commands exist, Python blocks run."""

import ast
import importlib.util
import json
import re
import shlex
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from clips import write_clip
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
    pytest.param(code, id=f"{path.relative_to(ROOT)}-{number}")
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

    if words[1] in ("fit", "validate", "test"):
        pytest.importorskip("pytorch_lightning")
    verbs = [word for word in words[1:3] if re.fullmatch(r"[a-z]+", word)]
    verbs = verbs if verbs[:1] in (["weights"], ["export"], ["data"], ["effects"]) else verbs[:1]
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
    write_manifest(tmp_path, astronaut)
    monkeypatch.chdir(tmp_path)
    if "clip.mp4" in code:
        pytest.importorskip("av", reason="needs PyAV: pip install '.[video]'")
        write_clip(tmp_path / "clip.mp4", [astronaut] * 3)
    exec(compile(code, "document", "exec"), {"__name__": "document"})


@pytest.mark.parametrize("code", PYTHON)
def test_python_blocks_name_what_is_public(code: str) -> None:
    import amesh

    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "amesh":
            assert node.attr in amesh.__all__


def write_manifest(folder: Path, photo: np.ndarray) -> Path:
    """The example of docs/manifest.md with its pictures."""
    [lines] = blocks(ROOT / "docs" / "manifest.md", "jsonl")
    manifest = folder / "labels.jsonl"
    manifest.write_text(lines, encoding="utf-8")
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        Image.fromarray(photo).save(folder / name)
    Image.new("RGB", (300, 240), "grey").save(folder / "wall.jpg")
    return manifest


def test_the_manifest_in_the_documents_can_be_used(
    tmp_path: Path, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    from amesh.cli import main

    manifest = write_manifest(tmp_path, astronaut)
    assert main(["data", "check", str(manifest)]) == 0
    said = capsys.readouterr().out
    assert "1 labelled faces, 1 regions without a face" in said
    assert "ibug68 1" in said


@pytest.mark.weights
def test_the_manifest_in_the_documents_fits_its_picture(
    tmp_path: Path, astronaut: np.ndarray
) -> None:
    import amesh

    manifest = write_manifest(tmp_path, astronaut)
    points = np.array(json.loads(manifest.read_text().splitlines()[0])["points"])
    [face] = amesh.FaceMesh(runtime="torch")(astronaut)
    found = face.topology.map_points(face.landmarks, "ibug68")[:, :2]
    assert np.linalg.norm(found - points, axis=1).max() < 1


def test_the_manifest_page_names_every_scheme() -> None:
    from amesh.data.schemes import known_schemes
    from amesh.topology import load

    page = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in known_schemes(load()))


def test_the_manifest_page_describes_every_key() -> None:
    from amesh.data.sources.manifest import FaceLine

    page = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
    described = {
        name
        for cell in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", page, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", cell)
    }
    schemes = set(re.findall(r"^\| `(\w+)` \| \d", page, re.MULTILINE))
    assert described - schemes == set(FaceLine.__struct_fields__) - {"license"}


def test_every_document_has_a_place_on_the_site() -> None:
    site = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    pages = re.findall(r"'([^']+\.md)'", str(site["nav"]))
    assert len(pages) == len(set(pages))
    documents = {str(path.relative_to(ROOT)) for path in site_module().documents()}
    assert set(pages) == documents, "list every page in the nav of zensical.toml"


def test_the_site_gets_every_file_that_its_pages_link_to(tmp_path: Path) -> None:
    copies = site_module().gather(tmp_path / "pages")
    names = {str(path.relative_to(tmp_path / "pages")) for path in copies}
    assert {"README.md", "docs/images/astronaut.png", "docs/face/landmarks.svg"} <= names
    for page in (path for path in copies if path.suffix == ".md"):
        for target in LINK.findall(BLOCK.sub("", page.read_text(encoding="utf-8"))):
            name = target.partition("#")[0]
            assert "://" in target or not name or (page.parent / name).is_file(), target


def test_the_reference_has_every_public_name() -> None:
    import amesh

    reference = "".join(path.read_text() for path in (ROOT / "docs" / "api").glob("*.md"))
    shown = re.findall(r"^::: amesh\.(\w+)$", reference, re.MULTILINE)
    assert sorted(shown) == sorted(amesh.__all__)


def site_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "docs" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_set_up_is_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox -s demo" in readme
    assert "\n.venv/bin/nox -s tests\n" in readme


def test_nobody_is_told_to_install_the_other_amesh_of_pypi() -> None:
    sources = [*DOCUMENTS, *(ROOT / "amesh").rglob("*.py"), *ROOT.glob("notebooks/*.ipynb")]
    by_name = re.compile(r"pip install [^`\n]*?(?<![\w./-])amesh\[")
    assert by_name.search("pip install 'amesh[video]'")
    found = [path.name for path in sources if by_name.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_the_page_on_tensorrt_states_the_figures_that_its_tests_assert() -> None:
    figures = json.loads((ROOT / "tests" / "rtx" / "figures.json").read_text())
    ours, released = figures["paper-256"], figures["released-192"]
    kernels = ours["kernels"]
    text = " ".join((ROOT / "docs" / "deployment.md").read_text(encoding="utf-8").split())
    for sentence in (
        f"one crop takes {kernels['fp16']} in `paper-256` fp16, "
        f"{released['kernels']['fp16']} in `released-192`",
        f"needs {kernels['int8, batch 1'] - kernels['fp16, batch 1']} more kernels (batch 1), its "
        f"{ours['int8 convolutions']} quantised convolutions",
        f"{ours['int8 numbers [%]']} % of the numbers that flow are int8",
    ):
        assert sentence in text, sentence
