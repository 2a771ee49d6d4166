"""Writes synthetic faces into shards."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from amesh.data.loading.sample import Canvas
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.shard_files import ShardWriter, written_keys
from amesh.errors import UserError
from amesh.files import locked, remove_leftovers
from amesh.synth.config import SynthConfig
from amesh.synth.faces import SyntheticFaces
from amesh.topology import Topology

SOURCE, LICENCE = "synthetic", "CC0-1.0"
_AT_ONCE = 8  # few, so that they stay in a CPU's cache and little is lost if the run is stopped
_QUALITY = 95


def write_shards(
    folder: Path,
    faces: SyntheticFaces,
    topology: Topology,
    count: int,
    seed: int,
    rank: int = 0,
    ranks: int = 1,
    per_shard: int = 1000,
    done: Callable[[int], object] = lambda number: None,
) -> int:
    """Writes faces 0 to `count` - 1 of a seed, except those that exist already.

    Ctrl-C keeps all faces that are written; a kill loses those of the unfinished shard.

    Args:
        folder: Folder of the shards.
        faces: The generator, on its device.
        topology: Topology of the landmarks.
        count: Number of faces of all ranks together.
        seed: Seed of the faces.
        rank: Index of this process, from 0; it generates every `ranks`-th face.
        ranks: Number of processes.
        per_shard: Maximum number of faces per shard.
        done: Called with the number of further faces that exist.

    Returns:
        Number of generated faces.

    Raises:
        UserError: The rank is out of range, another process has it, or the folder cannot be
            written to.
    """
    if not 0 <= rank < ranks:
        raise UserError(f"rank {rank} of {ranks}: expected 0 to {ranks - 1}")
    name = f"synthetic-{rank:04d}"
    taken = (
        f"{folder}: another process is writing faces there as rank {rank}; wait for it, or give "
        "each process its own --rank"
    )
    with locked(folder / f".{name}.lock", taken):
        remove_leftovers(folder, f"{name}-*")  # of a process that was killed
        known = written_keys(folder, "synthetic")  # of all ranks: there may have been others
        wanted = [
            i
            for i in range(rank, count, ranks)
            if _key(faces.config, seed, faces.size, i) not in known
        ]
        done(len(range(rank, count, ranks)) - len(wanted))
        with ShardWriter(folder, name, per_shard) as writer:
            for start in range(0, len(wanted), _AT_ONCE):
                numbers = wanted[start : start + _AT_ONCE]
                for face in labelled_faces(
                    make(faces, seed, numbers), topology, faces.config, seed
                ):
                    writer.add(face)
                done(len(numbers))
    return len(wanted)


def make(faces: SyntheticFaces, seed: int, numbers: list[int]) -> Canvas:
    """Generates faces by number, and moves them to the CPU."""
    index = torch.tensor(numbers, device=faces.irises.device)
    canvas: Canvas = faces(seed, 0, index)
    moved = {name: getattr(canvas, name).cpu() for name in Canvas._fields if name != "problems"}
    return Canvas(**moved)


def pixels(canvas: Canvas) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Yields the pictures, channels last."""
    for picture in canvas.pictures:
        yield np.ascontiguousarray(picture.permute(1, 2, 0).numpy())


def labelled_faces(
    canvas: Canvas, topology: Topology, config: SynthConfig, seed: int
) -> Iterator[LabelledFace]:
    """Yields the faces with their labels, encoded as JPEG; heads seen from behind are no faces."""
    parts = (canvas.landmarks, canvas.weight_xy, canvas.visibility, canvas.face)
    labels = zip(*(part.numpy() for part in parts), canvas.index.tolist(), strict=True)
    for picture, (points, weights, visibility, face, number) in zip(
        pixels(canvas), labels, strict=True
    ):
        key = _key(config, seed, len(picture), number)
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=_QUALITY, subsampling=0)
        made = LabelledFace(
            picture=file.getvalue(),
            scheme=topology.name,
            points=points,
            source=SOURCE,
            key=key,
            where=f"synthetic face {key}",
            licence=LICENCE,
            weight_xy=weights,
            visibility=visibility,
        )
        yield made if face else _no_face(made)


def _no_face(made: LabelledFace) -> LabelledFace:
    """The region of a head without its landmarks."""
    left, top = made.points[:, :2].min(0).tolist()
    right, bottom = made.points[:, :2].max(0).tolist()
    none = made.points[:0, :2]
    box = (left, top, right, bottom)
    return replace(
        made, scheme=None, points=none, weight_xy=None, visibility=None, face=False, box=box
    )


def _key(config: SynthConfig, seed: int, size: int, number: int) -> str:
    changes = f"{config.changes}-" if config.changes else ""
    return f"synthetic-{changes}{seed}-{size}-{number}"
