"""Scores our bundles in MediaPipe Tasks, and Google's own programs, on annotated pictures.

    python tests/tasks/accuracy.py TASKS_PYTHON FACE_MESH_PYTHON FACE.task MANIFEST.jsonl [WORD ...]

The two environments have the MediaPipe of the noxfile and that of
`tests/golden/requirements-oracle.txt`. FACE.task is Google's bundle, face_landmarker.task: Face
Landmarker as it is, with the network of 2023. The face mesh graph of an older release has the
released network. Further words go to `amesh evaluate`; its report goes to docs/accuracy/tasks
unless `--output` is given.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from amesh.cli import main as amesh
from amesh.deploy.export import open_network
from amesh.deploy.litert.task import export_task

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODELS = ("paper-256", "released-192")
FACE_MESH, LANDMARKER = "MediaPipe Face Mesh", "Face Landmarker"  # Google's
MAX_FACES = "10"  # as pictures.py


def main() -> int:
    """Writes the records of each, then the report; returns the exit code of `amesh evaluate`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", help="Python of an environment with MediaPipe Tasks")
    parser.add_argument("face_mesh", help="Python of the environment of tests/golden/oracle.py")
    parser.add_argument("landmarker", type=Path, help="Google's bundle, face_landmarker.task")
    parser.add_argument("manifest", type=Path, help="annotated faces as JSON Lines")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="for `amesh evaluate`")
    parser.add_argument(
        "--records", type=Path, default=ROOT / "build" / "tasks", help="folder; comes first"
    )
    options = parser.parse_args()
    pictures = labelled_pictures(options.manifest)
    folder = options.records
    folder.mkdir(parents=True, exist_ok=True)
    bundles = {LANDMARKER: options.landmarker}
    for model in MODELS:
        bundles[f"{model} in MediaPipe Tasks"] = bundle = folder / f"{model}.task"
        bundle.write_bytes(export_task(open_network(model)[0], "fp16"))
    found = []
    for name, bundle in bundles.items():
        records = folder / f"{bundle.stem}.jsonl"
        worker = [options.tasks, str(HERE / "pictures.py"), str(bundle), str(records)]
        subprocess.run([*worker, *pictures], check=True)
        found.append(f"{name}={records}")
    records = folder / "face_mesh.jsonl"
    oracle = [options.face_mesh, str(ROOT / "tests" / "golden" / "oracle.py"), "pipeline"]
    where = ["--output", str(records), "--max-faces", MAX_FACES]
    subprocess.run([*oracle, *pictures, *where], check=True)
    found.append(f"{FACE_MESH}={records}")
    report = ("--reference", LANDMARKER, "--output", str(ROOT / "docs" / "accuracy" / "tasks"))
    data = ("--data", str(options.manifest), "--predictions", *found)
    return amesh(["evaluate", *data, *report, *options.words])


def labelled_pictures(manifest: Path) -> list[str]:
    """The pictures of a manifest, each once even if it shows several annotated faces."""
    lines = manifest.read_text().splitlines()
    images = [json.loads(line)["image"] for line in lines if line.strip()]
    return [str(manifest.resolve().parent / image) for image in dict.fromkeys(images)]


if __name__ == "__main__":
    sys.exit(main())
