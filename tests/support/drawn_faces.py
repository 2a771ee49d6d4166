"""Drawn faces: simple enough for a network to learn, with nothing to download."""

from pathlib import Path

import cv2
import numpy as np

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.shard_files import ShardWriter
from amesh.nn.config import MeshConfig
from amesh.nn.template import template_in_crop


def draw(index: int, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Draws the mean face's contours at a random position: picture (h w 3), landmarks."""
    random = np.random.default_rng(index)
    config = MeshConfig(input_size=size, crop_size=8)
    points = template_in_crop(config)[0].numpy().astype(np.float64)
    angle, scale = random.normal(0, 0.15), np.exp(random.normal(0, 0.1))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points[:, :2] = (points[:, :2] - size / 2) @ turn.T + size / 2 + random.normal(0, size / 40, 2)
    points[:, 2] *= scale
    picture = np.full((size, size, 3), random.uniform(40, 90, 3), np.uint8)
    picture = np.ascontiguousarray(picture)
    colours = {"face_oval": (200, 160, 130), "lips_outer": (170, 60, 60)}
    colours |= {"lips_inner": (90, 20, 20), "right_eye": (240, 240, 240)}
    colours |= {"left_eye": (240, 240, 240), "right_iris": (60, 40, 20), "left_iris": (60, 40, 20)}
    for name, colour in colours.items():
        for line in config.load_topology().contours[name]:
            shape = np.round(points[list(line), :2] * 16).astype(np.int32)
            cv2.fillPoly(picture, [shape], colour, cv2.LINE_AA, shift=4)
    for name in ("right_eyebrow", "left_eyebrow"):
        for line in config.load_topology().contours[name]:
            shape = np.round(points[list(line), :2] * 16).astype(np.int32)
            cv2.polylines(picture, [shape], False, (60, 40, 30), 2, cv2.LINE_AA, shift=4)
    return picture, points.astype(np.float32)


def write_faces(folder: Path, length: int, size: int = 64, negatives: int = 0) -> Path:
    """Writes shards of drawn faces; one in every `negatives` is noise without a face."""
    with ShardWriter(folder) as writer:
        for index in range(length):
            face = not (negatives and index % negatives == negatives - 1)
            picture, points = draw(index, size)
            if not face:
                picture = np.random.default_rng(index).integers(0, 255, picture.shape, np.uint8)
            encoded = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
            name = f"drawn{index}"
            writer.add(
                LabelledFace(
                    picture=encoded,
                    scheme="face478" if face else None,
                    points=points if face else points[:0],
                    source="drawn",
                    key=name,
                    where=name,
                    licence="CC0",
                    face=face,
                )
            )
    return folder
