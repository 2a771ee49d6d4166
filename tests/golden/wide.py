"""Parity on your own pictures: `nox -s parity -- FOLDER`.

`cut` makes plain, rotated, mirrored and shifted crops of the faces in a folder; the oracle runs
Google's network on them in a separate environment; `compare` prints the worst distance of each
output.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

import amesh
from amesh.geometry import roi
from amesh.nn.attention_mesh import AttentionMesh
from amesh.pipeline.crops import crop_image
from amesh.pipeline.images import read_image
from amesh.pipeline.listing import list_images
from amesh.weights import store

SIZE = 192
TOLERANCE = 1e-3  # [px of the crop]
# The released file names the eyes by their side in the picture; we use the subject's side.
OUTPUTS = {
    "lips": "lips",
    "left_eye": "right_eye",
    "right_eye": "left_eye",
    "left_iris": "right_iris",
    "right_iris": "left_iris",
}


def cut(folder: Path, output: Path, most: int) -> None:
    """Writes crops of up to `most` pictures of a folder."""
    face_mesh = amesh.FaceMesh("released-192")
    random = np.random.default_rng(0)
    crops: list[np.ndarray] = []
    pictures = list_images(folder)
    for path in pictures[:: max(1, len(pictures) // most)][:most]:
        try:
            image = read_image(path)
        except amesh.UserError as error:
            print(error, file=sys.stderr)
            continue
        for face in face_mesh(image):
            for turned in (0.0, float(random.uniform(-np.pi, np.pi))):
                square = (
                    face.roi._replace(
                        centre=face.roi.centre + random.uniform(-0.2, 0.2, (1, 2)) * face.roi.size,
                        size=face.roi.size * float(random.uniform(0.7, 1.4)),
                        angle=face.roi.angle + turned,
                    )
                    if turned
                    else face.roi
                )
                crop = crop_image(image, roi.image_from_crop(square, SIZE)[0], SIZE)
                crops.append(crop[:, ::-1] if turned and random.random() < 0.5 else crop)
    np.savez(output, crops=np.stack(crops))
    print(f"{len(crops)} crops of {folder.name}")


def compare(crops: Path, answers: Path) -> int:
    """Prints the worst distance of each output [px]; returns 1 if one exceeds the tolerance."""
    net = store.load("released-192")
    assert isinstance(net, AttentionMesh)
    released = np.load(answers)
    images = torch.from_numpy(np.load(crops)["crops"]).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        outputs = [net(part) for part in images.split(32)]
    worst = {"mesh": max_error([one.mesh for one in outputs], released["mesh"])}
    for theirs, ours in OUTPUTS.items():
        worst[ours] = max_error([one.regions[ours] for one in outputs], released[theirs])
    for name, error in worst.items():
        print(f"{name:<12}{error:.2e} px")
    flag = max_error([one.face_flag for one in outputs], released["flag"])
    print(f"{'face flag':<12}{flag:.2e} (logit)")
    print(f"{len(images)} crops, worst {max(worst.values()):.2e} px, allowed {TOLERANCE:.0e}")
    return int(max(worst.values()) > TOLERANCE)


def max_error(found: list[torch.Tensor], expected: np.ndarray) -> float:
    """Largest absolute difference."""
    return float(np.abs(torch.cat(found).numpy() - expected).max())


def main() -> int:
    """Parses the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("cut", help="crops of the faces in a folder")
    first.add_argument("folder", type=Path)
    first.add_argument("output", type=Path)
    first.add_argument("--most", type=int, default=300, help="pictures, evenly chosen")
    second = commands.add_parser("compare", help="compare our outputs with the oracle's")
    second.add_argument("crops", type=Path)
    second.add_argument("answers", type=Path)
    options = parser.parse_args()
    if options.command == "cut":
        cut(options.folder, options.output, options.most)
        return 0
    return compare(options.crops, options.answers)


if __name__ == "__main__":
    raise SystemExit(main())
