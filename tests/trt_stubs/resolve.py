"""Checks amesh's uses of TensorRT against the real bindings of one major version, without a GPU.

`python resolve.py SITE WORK`: SITE is a folder with the installed bindings and pybind11-stubgen,
WORK a folder for the results. Steps: compile stand-ins for the libraries, generate type stubs from
the bindings' signatures, check our modules against them with mypy, prove by renaming that each use
of a name is checked, and run the code that needs no library.
"""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
FOLDER = CHECKOUT / "amesh" / "deploy" / "tensorrt"
# `node` and `shape` in the others are ONNX's.
MODULES = [path for path in sorted(FOLDER.glob("*.py")) if "import tensorrt" in path.read_text()]
LIBRARIES = ("nvinfer", "nvonnxparser", "nvinfer_plugin")
# Of our own or of the standard library, though a class of TensorRT has the name too.
OTHERS = {"name", "errors", "flags", "log"}


def main(site: Path, work: Path) -> None:
    """Checks everything; exits with a message if something does not match."""
    major = next(site.glob("tensorrt_cu*_bindings-*.dist-info")).name.split("-")[1].split(".")[0]
    libraries = build_libraries(work / "lib", major)
    shim(site)
    stubs = type_stubs(site, libraries, work)
    clean = run_mypy(MODULES, stubs)
    if clean:
        sys.exit("\n".join(clean))
    unseen = mutate(stubs, work)
    if unseen:
        sys.exit(f"TensorRT {major}: not checked by these types: {', '.join(unseen)}")
    in_place(site, libraries, "import tensorrt as t; print('bindings', t.__version__)")
    in_place(site, libraries, (HERE / "alive.py").read_text())


def build_libraries(folder: Path, major: str) -> Path:
    """Compiles the stand-ins under the names that this major version loads."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in LIBRARIES:
        file = f"lib{name}.so.{major}"
        command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{file}", "-o", str(folder / file)]
        subprocess.run([*command, str(HERE / "libraries.c")], check=True)
    return folder


def shim(site: Path) -> None:
    """Writes the package `tensorrt`, which NVIDIA ships in another wheel, with the libraries."""
    folder = site / "tensorrt"
    folder.mkdir(exist_ok=True)
    text = "from tensorrt_bindings import *\nfrom tensorrt_bindings import __version__\n"
    (folder / "__init__.py").write_text(text)


def in_place(site: Path, libraries: Path, code: str) -> None:
    """Runs code with the bindings importable."""
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(libraries),
        "PYTHONPATH": os.pathsep.join((str(site), str(CHECKOUT))),
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def type_stubs(site: Path, libraries: Path, work: Path) -> Path:
    """Generates type stubs of `tensorrt` from the bindings' signatures."""
    raw, stubs = work / "raw", work / "stubs"
    for folder in (raw, stubs):
        shutil.rmtree(folder, ignore_errors=True)
    arguments = f"['stubgen', 'tensorrt_bindings', '-o', {str(raw)!r}]"
    code = f"import sys, pybind11_stubgen as s; sys.argv = {arguments}; s.main()"
    in_place(site, libraries, "import logging; logging.disable(50)\n" + code)
    for source in (raw / "tensorrt_bindings").glob("*.pyi"):
        text = source.read_text().replace("tensorrt_bindings.", "tensorrt.")
        target = stubs / "tensorrt" / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(repaired(text))
    return stubs


def repaired(text: str) -> str:
    """Corrects the generated stubs where they differ from the bindings.

    `tensorrt.bool` hides Python's; unnamed C++ types are unknown; the buffer protocol documented
    for IHostMemory has no signature; and signatures that NVIDIA wrote in prose accept anything.
    """
    text = re.sub(r"(?<=-> )bool\b|(?<=: )bool\b", "builtins.bool", text)
    text = re.sub(r"-> \.\.\.", "-> typing.Any", text)
    buffer = "    def __buffer__(self, flags: int, /) -> memoryview: ...\n"
    text = text.replace("class IHostMemory:\n", f"class IHostMemory:\n{buffer}")
    text = text.replace("import typing\n", "import builtins\nimport typing\n", 1)
    while True:
        try:
            ast.parse(text)
        except SyntaxError as error:
            lines = text.splitlines()
            number = (error.lineno or 1) - 1
            while not re.match(r"\s*def ", lines[number]):
                number -= 1
            start = lines[number].partition("(")[0]
            lines[number] = f"{start}(*args: typing.Any, **kwargs: typing.Any) -> typing.Any:"
            text = "\n".join(lines) + "\n"
        else:
            return text


def run_mypy(files: list[Path], stubs: Path) -> list[str]:
    """mypy's errors in these files; errors in the stubs themselves are ignored."""
    command = [sys.executable, "-m", "mypy", "--config-file=", "--ignore-missing-imports"]
    command += ["--follow-imports=silent", "--check-untyped-defs", "--no-error-summary"]
    command += [f"--cache-dir={stubs.parent / 'cache'}", "--hide-error-context", *map(str, files)]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join((str(stubs), str(CHECKOUT)))}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=CHECKOUT
    )
    if done.returncode not in (0, 1):
        sys.exit(done.stdout + done.stderr)
    ours = tuple(os.path.relpath(file, CHECKOUT) for file in files) + tuple(map(str, files))
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    return [line for line in lines if line.startswith(ours)]


def mutate(stubs: Path, work: Path) -> list[str]:
    """Renames each use of TensorRT's names in turn; if mypy misses one, it was never checked."""
    text = _stub_text(stubs)
    names = set(re.findall(r"def (\w+)\(|^ +(\w+):", text, re.MULTILINE))
    known = {name for pair in names for name in pair if name} - OTHERS
    known |= set(re.findall(r"^class (\w+)", text, re.MULTILINE))
    folder = work / "mutants"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    mutants = {}
    for module in MODULES:
        for line, column, name in sorted(_attributes(module, known)):
            lines = module.read_text().splitlines()
            before, after = lines[line - 1][:column], lines[line - 1][column + len(name) :]
            lines[line - 1] = f"{before}{name}_gone{after}"
            copy = folder / f"{module.stem}_{line}_{column}.py"
            copy.write_text("\n".join(lines) + "\n")
            mutants[copy] = f"{module.name}:{line} {name}"
    print(len(mutants), "uses of TensorRT's names")
    errors = run_mypy(list(mutants), stubs)
    seen = {Path(error.split(":")[0]).name for error in errors if "_gone" in error}
    return [use for copy, use in mutants.items() if copy.name not in seen]


def _attributes(module: Path, names: set[str]) -> set[tuple[int, int, str]]:
    """Line, column and name of attributes of TensorRT's objects that are TensorRT's own."""
    tree = ast.parse(module.read_text())
    owned = {"self", "torch", "np", "config.options", "options", "readiness", "json", "runner"}
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node.attr not in names:
            continue
        if isinstance(node.value, ast.Name) and node.value.id in owned:
            continue
        end = node.end_col_offset or 0
        found.add((node.end_lineno or node.lineno, end - len(node.attr), node.attr))
    return found


def _stub_text(stubs: Path) -> str:
    return (stubs / "tensorrt" / "tensorrt.pyi").read_text()


if __name__ == "__main__":
    if importlib.util.find_spec("mypy") is None or shutil.which("gcc") is None:
        sys.exit("resolve.py needs mypy (in this Python) and gcc")
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
