"""Writes the network of blendshapes for browsers, and what it says in Python of a few faces.

`python web/tools/blendshapes.py MODEL.safetensors GOLDEN.json`: the layers of the package's network
in half precision, `MODEL.safetensors.json` beside them with size and hash, and for the tests
landmarks and their values.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from amesh.deploy.sidecar import sha256
from amesh.effects.blendshape_network import read_network
from amesh.effects.blendshapes import NAMES, Blendshapes
from amesh.files import write_atomically
from amesh.topology import load

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "pipeline" / "reference.json"


def model() -> bytes:
    """The layers: weights (in, out) and biases (out,), by number."""
    arrays = {}
    for i, layer in enumerate(read_network().layers):
        arrays[f"weight_{i}"] = layer.weight.astype(np.float16, order="C")
        arrays[f"bias_{i}"] = layer.bias.astype(np.float32)
    return save(arrays, {"names": json.dumps(NAMES)})


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


def main(output: Path, examples: Path) -> None:
    """Writes the files."""
    content = model()
    about = {"model": "blendshapes", "sha256": sha256(content), "bytes": len(content)}
    write_atomically(output, content)
    write_atomically(output.with_name(f"{output.name}.json"), json.dumps(about).encode())
    write_atomically(examples, json.dumps(golden()).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
