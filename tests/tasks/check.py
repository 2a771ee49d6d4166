"""Checks that our bundles run in MediaPipe Tasks and give the same landmarks as our pipeline.

    python tests/tasks/check.py PYTHON_WITH_MEDIAPIPE [--output FIGURES.json]

The frames are the astronaut's portrait and shifted cuts of it. In pixels of the crop (256 px),
Tasks is compared with our own pipeline (MediaPipe's short-range detector, ROI and cropping, and the
network in PyTorch in single precision):

* in picture mode;
* in video mode, on the first frame and on the last ones, where each ROI comes from the landmarks of
  the previous frame. Tasks filters a video's landmarks over time, so the last frames are still; and
  each side follows its own landmarks, so differences accumulate.

The blendshapes of Tasks are compared with ours of the same landmarks.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage import data
from torch import nn

from amesh.deploy.export import open_network
from amesh.deploy.formats import Precision
from amesh.deploy.litert.export import TASK_SIZE
from amesh.deploy.litert.task import export_task
from amesh.effects.blendshapes import Blendshapes
from amesh.face_mesh import open_detector
from amesh.geometry import affine, roi
from amesh.geometry.roi import Roi
from amesh.pipeline.crops import as_mediapipe_cuts, crop_image

CASES: list[tuple[str, Precision]] = [
    ("released-192", "fp32"),
    ("released-192", "fp16"),
    ("paper-256", "fp32"),
    ("paper-256", "fp16"),
]
WORKER = Path(__file__).with_name("landmarker.py")
SIDE = 512  # of a frame, and of the portrait [px]
CORNERS = [(0, 0), (8, 4), (16, 8), (24, 12), (32, 16), (40, 12), (48, 8), (48, 4)] + [(48, 0)] * 8
STILL = 4  # still frames at the end, for the filter to settle
ANCHORS = [33, 263]  # landmarks that give the roll of the next ROI
# [crop px]; of the blendshapes, in their own unit.
LIMITS = {"picture_max": 0.5, "video_first": 0.5, "video_max": 2.0, "blendshapes": 1e-4}


def main() -> None:
    """Prints the figures; exits with an error if one exceeds its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", type=Path, help="Python of an environment with MediaPipe Tasks")
    parser.add_argument("--output", type=Path, help="write the figures to this file as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    picture = np.pad(data.astronaut(), ((0, 48), (0, 48), (0, 0)), mode="edge")
    frames = np.stack([picture[y : y + SIDE, x : x + SIDE] for x, y in CORNERS])
    figures = {}
    for model, precision in CASES:
        name = f"{model}, {precision}"
        net = open_network(model)[0]
        figures[name] = found = compare(net, export_task(net, precision), frames, options.python)
        print(f"{name}: {json.dumps(found)}")
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(figures, indent=2) + "\n")
    for name, found in figures.items():
        # Written so that NaN, which means no face, fails.
        for key, limit in LIMITS.items():
            if not found[key] <= limit:
                raise SystemExit(f"{name}: {key} is {found[key]} from ours, allowed {limit}")
        if found["video_faces"] != found["frames"]:
            raise SystemExit(f"{name}: {found['video_faces']} faces in {found['frames']} frames")


def compare(net: nn.Module, bundle: bytes, frames: np.ndarray, python: Path) -> dict[str, Any]:
    """Largest and mean distances [crop px]."""
    with tempfile.TemporaryDirectory(prefix="amesh-") as name:
        folder = Path(name)
        (folder / "face.task").write_bytes(bundle)
        np.savez(folder / "frames.npz", frames=frames)
        files = [str(folder / one) for one in ("face.task", "frames.npz", "answers.npz")]
        subprocess.run([str(python), str(WORKER), *files], check=True)
        answers = dict(np.load(folder / "answers.npz"))
    image, video = answers["image"] * SIDE, answers["video"] * SIDE
    found = detected(frames)
    off = distances(image, [predict(net, *one) for one in zip(frames, found, strict=True)], found)
    followed = [found[0]]
    ours = []
    for frame in frames:
        ours.append(predict(net, frame, followed[-1]))
        points = ours[-1][None, :, :2]
        followed.append(roi.from_landmarks(points, points[:, ANCHORS]))
    follow = distances(video, ours, followed[:-1])
    late = follow[-STILL:]
    shapes = answers["blendshapes"][:, 1:] - Blendshapes("released")(image)[:, :-1]
    return {
        "mediapipe": str(answers["version"]),
        "frames": len(frames),
        "landmarks": image.shape[1],
        "picture_max": round(float(off.max()), 4),
        "picture_mean": round(float(off.mean()), 4),
        "video_first": round(float(follow[0].max()), 4),
        "video_max": round(float(late.max()), 4),
        "video_mean": round(float(late.mean()), 4),
        "blendshapes": float(np.abs(shapes).max()),
        "video_faces": int(np.isfinite(video).all((1, 2)).sum()),
    }


def distances(theirs: np.ndarray, ours: list[np.ndarray], rois: list[Roi]) -> np.ndarray:
    """3-D distances per frame and landmark [crop px]."""
    per_crop = TASK_SIZE / np.array([float(one.size) for one in rois])
    return np.asarray(np.linalg.norm(theirs - np.stack(ours), axis=-1) * per_crop[:, None])


def detected(frames: np.ndarray) -> list[Roi]:
    """The ROI of each frame's face."""
    detector = open_detector("short", mediapipe_crop=True)
    faces = [detector(frame)[0] for frame in frames]
    boxes = [face.box[None].astype(np.float64) for face in faces]
    eyes = [face.keypoints[None, :2].astype(np.float64) for face in faces]
    return [roi.from_detection(*one) for one in zip(boxes, eyes, strict=True)]


@torch.inference_mode()
def predict(net: nn.Module, frame: np.ndarray, where: Roi) -> np.ndarray:
    """Our landmarks [image px], from a 256-px crop cut like MediaPipe's."""
    image_from_crop = roi.image_from_crop(where, TASK_SIZE)
    cut = as_mediapipe_cuts(image_from_crop[0])
    crop = crop_image(frame, cut, TASK_SIZE, border="replicate", antialias=False)
    picture = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
    size = net.config.input_size
    if size != TASK_SIZE:
        picture = nn.functional.interpolate(picture, (size, size), mode="bilinear")
    points = net(picture).landmarks.double().numpy() * (TASK_SIZE / size)
    xy = affine.apply(image_from_crop, points[..., :2])
    z = points[..., 2:] * (where.size / TASK_SIZE)
    return np.concatenate([xy, z], axis=-1)[0]


if __name__ == "__main__":
    main()
