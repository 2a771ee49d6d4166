"""Writes what browsers need of blendshapes, and what the package makes of a few faces.

`python web/tools/blendshapes.py FOLDER GOLDEN.json` writes the layers of the package's network, as
blendshapes.safetensors, and how each expression moves the canonical face, as
morph_targets.safetensors: both in half precision, with a .json of size and hash beside them. For
the tests it writes landmarks and their values.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from amesh.deploy.sidecar import sha256
from amesh.effects.blendshape_network import read_network
from amesh.effects.blendshapes import NAMES, Blendshapes
from amesh.effects.canonical import canonical_face
from amesh.effects.morph_targets import morph_targets
from amesh.files import write_atomically
from amesh.topology import load

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "pipeline" / "reference.json"


def network() -> bytes:
    """The layers: weights (in, out) and biases (out,), by number."""
    arrays = {}
    for i, layer in enumerate(read_network().layers):
        arrays[f"weight_{i}"] = layer.weight.astype(np.float16, order="C")
        arrays[f"bias_{i}"] = layer.bias.astype(np.float32)
    return save(arrays, {"names": json.dumps(NAMES)})


def shapes() -> bytes:
    """Movements of the canonical face (51, 478, 3) [mm], by the names of the expressions."""
    targets = morph_targets(canonical_face().points)
    moves = np.stack(list(targets.values())).astype(np.float16)
    return save({"moves": moves}, {"names": json.dumps(list(targets))})


def golden() -> dict[str, object]:
    """Landmarks of faces and their values: a portrait, mirrored, and with other expressions."""
    points = json.loads(REFERENCE.read_text())["landmarks"]["all"]
    portrait = np.array(points, np.float64)
    topology = load()
    mirrored = (portrait * (-1, 1, 1) + (512, 0, 0))[topology.mirror]
    rng = np.random.default_rng(0)
    faces = [portrait, mirrored, *(portrait + rng.normal(0, 2, (4, *portrait.shape)))]
    blendshapes = Blendshapes()
    return {
        "names": NAMES,
        "faces": [face.round(3).ravel().tolist() for face in faces],
        "values": [blendshapes(face.round(3)).round(5).tolist() for face in faces],
        "calibrated": calibrated(blendshapes, portrait),
    }


def calibrated(blendshapes: Blendshapes, portrait: np.ndarray) -> list[float]:
    """What the first face is if it smiles at rest, but less."""
    # The portrait smiles with its lips apart; closing them gives a face that may be at rest.
    rest = portrait.copy()
    rest[14] = rest[13]
    blendshapes.calibrate(rest)
    return blendshapes(portrait).round(5).tolist()


def main(folder: Path, examples: Path) -> None:
    """Writes the files."""
    for name, content in (("blendshapes", network()), ("morph_targets", shapes())):
        about = {"model": name, "sha256": sha256(content), "bytes": len(content)}
        write_atomically(folder / f"{name}.safetensors", content)
        write_atomically(folder / f"{name}.safetensors.json", json.dumps(about).encode())
    write_atomically(examples, json.dumps(golden()).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
