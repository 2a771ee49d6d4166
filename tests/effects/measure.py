"""Measures effects: how far poses, distances and gazes are off, and whether makeup keeps lightness.

    python tests/effects/measure.py --output docs/benchmark/effects --faces FOLDER

`nox -s effects` runs it. The truth is known without labels: the canonical face and eyeballs seen by
a camera, and a real picture whose camera is turned. Makeup is measured on any pictures of faces.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from skimage.color import rgb2lab
from skimage.data import astronaut

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from posed_heads import angle_between, looking, seen, turned
from turned_camera import turned_poses

from amesh import Camera, FaceMesh, eyes, head_pose, load_topology, read_image
from amesh.benchmark.machine import about
from amesh.data.random import keys
from amesh.effects.makeup import apply, blush, eye_shadow, iris_tint, lipstick
from amesh.evaluation.markdown import table
from amesh.files import write_atomically
from amesh.synth.model import FaceModel

CAMERA = Camera.from_fov(1280, 720, vertical=50)
PLACE = (90.0, -40.0, 500.0)  # [mm]: a face of 300 px
TRIALS, PEOPLE = 100, 24
OUTER_CORNERS = 87.0  # distance of the outer corners of the eyes [mm]
WHOLE, FEWEST = 64, 60  # smallest face with all its makeup [px], and smallest area [px]
LIGHTNESS = 0.97  # correlation that makeup should keep


def main() -> None:
    """Prints the report, and writes it where `--output` says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, metavar="FOLDER")
    parser.add_argument("--faces", type=Path, metavar="FOLDER", help="pictures to make up")
    options = parser.parse_args()
    folder = options.output
    made_up = "" if options.faces is None else makeup_section(options.faces)
    facts = "\n".join(f"* {name}: {value}" for name, value in about().items())
    report = f"""# Effects

{facts}

## How far off

The canonical face, 300 px high, {TRIALS} times with normal noise in x and y. Heads of other shapes
are {PEOPLE} of `amesh synth`, posed before and after a turn. Gazes: eyeballs are turned by up to 25
degrees, and their irises are 22 px wide. Real picture: `paper-256` looks anew at the portrait of
the astronaut, as a camera sees it that is turned to either side.

{table(("What", "95 % of errors", "Largest"), accuracy())}
{made_up}"""
    print(report)
    if folder is not None:
        write_atomically(folder / "effects.md", report.encode())


def accuracy() -> list[tuple[str, str, str]]:
    """Errors against known truths."""
    random = np.random.default_rng(0)
    rows = []
    for yaw in (0, 30, 60, 90):
        face = seen(CAMERA, turned(yaw, 10, -15), PLACE)
        pose = head_pose(face + random.normal(0, 0.4, (TRIALS, 478, 3)), CAMERA)
        errors = [angle_between(one, turned(yaw, 10, -15)) for one in pose.rotation]
        rows.append(row(f"rotation, yaw {yaw}, 0.4 px of noise", errors, "degrees"))
        distance = np.linalg.norm(pose.translation, axis=1) / np.linalg.norm(PLACE) - 1
        rows.append(row(f"distance, yaw {yaw}, 0.4 px of noise", 100 * abs(distance), "%"))
    before, *after = (
        [head_pose(seen(CAMERA, turned(yaw, 5), PLACE, points), CAMERA) for points in people()]
        for yaw in (0, 40, 80)
    )
    for yaw, poses in zip((40, 80), after, strict=True):
        expected = turned(yaw, 5) @ turned(0, 5).T
        pairs = list(zip(before, poses, strict=True))
        errors = [angle_between(b.rotation @ a.rotation.T, expected) for a, b in pairs]
        rows.append(row(f"turn by {yaw} of heads of other shapes, exact points", errors, "degrees"))
    face_mesh = FaceMesh("paper-256", runtime="torch")
    for vertical in (45.0, 63.0):
        for yaw in (8, 15, 22):
            pairs = turned_poses(face_mesh, astronaut(), vertical, (yaw, -yaw))
            errors = [angle_between(*pair) for pair in pairs]
            what = f"rotation, real picture, field of view {vertical:.0f}, camera turned by {yaw}"
            rows.append((what, "", f"{max(errors):.2f} degrees"))
    for noise in (0.0, 0.2):
        for yaw in (0, 30):
            errors = gaze_errors(yaw, noise, random)
            what = f"gaze of both eyes, head turned by {yaw}, {noise} px of noise"
            rows.append(row(what, errors, "degrees"))
    for place in ((0.0, 0.0, 450.0), (420.0, -200.0, 500.0)):
        points = looking(10)
        face = seen(CAMERA, turned(15), place, points)
        found = eyes(face + random.normal(0, 0.2, (TRIALS, 478, 3)), CAMERA)
        truth = np.linalg.norm((points @ turned(15).T + place)[[468, 473]], axis=1)
        off = np.degrees(np.arctan2(np.hypot(*place[:2]), place[2]))
        what = f"distance of irises, {off:.0f} degrees off the axis, 0.2 px of noise"
        rows.append(row(what, 100 * np.abs(found.distance / truth - 1), "%"))
    return rows


def people() -> np.ndarray:
    """The faces of synthetic people, which are not canonical [mm]."""
    model = FaceModel(load_topology())
    key = keys(0, 0, torch.arange(PEOPLE))
    faces = model.shape(key, model.draw_controls(key, 0.0), 1.0)
    return faces.numpy().astype(np.float64) * OUTER_CORNERS


def row(what: str, errors: np.ndarray | list[float], unit: str) -> tuple[str, str, str]:
    """A line of the table."""
    return what, f"{np.percentile(errors, 95):.2f} {unit}", f"{np.max(errors):.2f} {unit}"


def gaze_errors(head: float, noise: float, random: np.random.Generator) -> np.ndarray:
    """The angles between gaze and truth, for eyeballs turned in several directions."""
    errors = []
    for yaw, pitch in ((0, 0), (25, 0), (-25, 0), (0, 20), (0, -20), (17, 17), (-17, -17)):
        face = seen(CAMERA, turned(head), (60.0, -30.0, 450.0), looking(yaw, pitch))
        found = eyes(face + random.normal(0, noise, (TRIALS, 478, 3)), CAMERA, closed=0.0)
        truth = turned(head) @ turned(yaw, pitch) @ (0, 0, -1)
        cosine = found.gaze_of_both @ truth
        errors.append(np.degrees(np.arccos(cosine.clip(-1, 1))))
    return np.concatenate(errors)


def makeup_section(folder: Path) -> str:
    """How far makeup keeps the lightness of the skin, on all faces in the pictures of a folder."""
    products = (lipstick(), eye_shadow(), blush(), iris_tint())
    kept: dict[str, list[float]] = {product.name: [] for product in products}
    face_mesh = FaceMesh()
    pictures = [path for path in sorted(folder.iterdir()) if path.suffix in (".jpg", ".png")]
    for path in pictures:
        image = read_image(path)
        for face in face_mesh(image):
            if np.ptp(face.landmarks[:, :2], axis=0).max() < WHOLE:
                continue
            for product in products:
                made = apply(image, face.landmarks, product)
                where = (made != image).any(axis=2)
                if where.sum() >= FEWEST:
                    before, after = (rgb2lab(one[where])[:, 0] for one in (image, made))
                    kept[product.name].append(float(np.corrcoef(before, after)[0, 1]))
    rows = [
        (
            name,
            str(len(found)),
            f"{np.median(found):.3f}",
            f"{np.percentile(found, 5):.3f}",
            f"{100 * np.mean(np.array(found) >= LIGHTNESS):.0f} %",
        )
        for name, found in kept.items()
    ]
    return f"""
## Makeup

Correlation of L* before and after, over all pixels that the product changed, on the faces of at
least {WHOLE} px in {len(pictures)} pictures, with the default colours.

{table(("Product", "Faces", "Median", "5 % of faces are below", f"At least {LIGHTNESS}"), rows)}
"""


if __name__ == "__main__":
    main()
