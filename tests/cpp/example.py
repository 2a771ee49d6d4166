"""Runs the C++ example on the reference's portrait and compares its landmarks: `nox -s cpp`.

    python tests/cpp/example.py EXAMPLE DETECTOR.onnx NETWORK.onnx FOLDER

FOLDER receives the picture.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "pipeline" / "reference.json"
MOST = 0.1  # px


def main(example: str, detector: str, network: str, folder: str) -> None:
    """Prints the largest distance in x, y and z; the exit code is 1 if one is too large."""
    picture = Path(folder) / "portrait.ppm"
    Image.fromarray(np.ascontiguousarray(data.astronaut()[:384])).save(picture)
    command = (example, detector, network, str(picture))
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = np.array([line.split() for line in said.splitlines()], float)
    wanted = np.array(json.loads(REFERENCE.read_text())["landmarks"]["all"])
    distance = np.abs(found - wanted).max(axis=0)
    print(f"largest distance from Python in x, y, z: {distance.round(3).tolist()} px")
    sys.exit(bool((distance > MOST).any()))


if __name__ == "__main__":
    main(*sys.argv[1:])
