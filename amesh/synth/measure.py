"""Measures the statistics of synthetic faces on labelled pictures.

`python -m amesh.synth.measure SHARDS --output face_model.npz`. Only statistics over all faces are
stored, no picture. The licence of every picture must permit releasing weights.
"""

import argparse
import json
import sys
import zlib
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from tqdm.auto import tqdm

from amesh.data.licences import releasable
from amesh.data.loading.pictures import decode
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import Problems
from amesh.data.sources.shards import ShardSource
from amesh.data.sources.source import Source
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.synth import controls
from amesh.synth.albedo import Unwrapper, colour_modes
from amesh.topology import Topology, load

CREDITS = {
    "fairface": "FairFace (K. Karkkainen and J. Joo, WACV 2021), CC-BY-4.0",
    "sfhq_t2i": "SFHQ-T2I (D. Beniaguev, 2024), MIT",
    "us_congress_gpo": "US Government Publishing Office, public domain",
    "us_congress_hires": "US Government Publishing Office, public domain",
    "interfaces_cc0": "inter-faces (photographs from Pexels), CC0",
}
VERSION = 1
_SHAPE_MODES, _QUANTILES = 40, 33
# Faces turned further than this [degrees] show too little of their far side.
_MAX_TURN = 30.0
# Faces with less than this between the outer eye corners [px] have hardly any texture.
_MIN_EYES = 40.0


class Aligned(NamedTuple):
    """A face aligned to the template.

    Attributes:
        points: (n, 3) landmarks in the template's frame.
        turn: (3, 3) rotation from the template's frame to the picture's.
        scale: Length of the template's unit [px].
    """

    points: Float[np.ndarray, "n 3"]
    turn: Float[np.ndarray, "3 3"]
    scale: float


def align(points: Float[np.ndarray, "n 3"], topology: Topology) -> Aligned:
    """Aligns a face to the template by rotation, scale and shift (Umeyama)."""
    used = np.unique(topology.triangles)
    target, source = topology.template[used], points[used].astype(np.float64)
    target_centre, source_centre = target.mean(0), source.mean(0)
    target, source = target - target_centre, source - source_centre
    left, strength, right = np.linalg.svd(source.T @ target)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    turn = left @ flip @ right  # picture from template
    scale = float((source**2).sum() / (strength * np.diag(flip)).sum())
    front = (points - source_centre) @ turn / scale + target_centre
    return Aligned(front, turn, scale)


def check_licence(face: LabelledFace) -> str:
    """Returns the licence of a picture after checking that it permits releasing weights.

    Raises:
        UserError: It is not stated, or does not permit it.
    """
    if not face.licence:
        raise UserError(f"{face.where}: no licence is stated; leave this picture out")
    if not releasable(face.licence):
        raise UserError(
            f"{face.where}: licence {face.licence!r} does not permit releasing weights; "
            "leave this picture out"
        )
    return face.licence


def measure(source: Source, topology: Topology, texture_limit: int = 1400) -> dict[str, Any]:
    """Measures the statistics of labelled faces.

    Args:
        source: The faces, labelled in the topology's scheme.
        topology: The topology face478.
        texture_limit: Maximum number of faces whose colours are used; limits memory.

    Returns:
        Arrays by name, as `pack` writes them, and `about`, which describes their origin.

    Raises:
        UserError: The licence of a picture does not permit it, or there are too few usable faces.
    """
    shapes, sizes, licences, sources = [], [], Counter[str](), Counter[str]()
    usable: list[tuple[int, Aligned]] = []
    for index in range(len(source)):
        labelled = source[index]
        licence = check_licence(labelled)
        if labelled.scheme != topology.name or not labelled.face:
            continue
        face = align(labelled.points, topology)
        if np.degrees(np.arccos(np.clip(face.turn[2, 2], -1, 1))) > _MAX_TURN:
            continue
        licences[licence] += 1
        sources[labelled.source] += 1
        shapes.append(face.points)
        if face.scale >= _MIN_EYES:
            usable.append((index, face))
            sizes.append(face.scale)
    if len(usable) < 2:
        raise UserError(f"{source.name}: {len(usable)} faces of a usable size and pose; need 2")
    result: dict[str, Any] = dict(shape_statistics(np.stack(shapes), topology))
    unwrapper = Unwrapper(topology)
    # Sample the larger half evenly: the very largest faces would all be from one source.
    larger = np.flatnonzero(np.array(sizes) >= np.median(sizes))
    chosen = larger[np.linspace(0, len(larger) - 1, min(texture_limit, len(larger))).astype(int)]
    for place in tqdm(chosen.tolist(), desc="colours", unit="face", disable=None):
        index, face = usable[place]
        unwrapper.add(_pixels(source[index]), source[index].points, face.turn, face.scale)
    result |= colour_modes(unwrapper)
    result["about"] = {
        "version": VERSION,
        "topology": topology.name,
        "faces": len(shapes),
        "faces_for_colour": len(chosen),
        "sources": dict(sources.most_common()),
        "licences": dict(licences.most_common()),
        "credits": sorted({CREDITS[name] for name in sources if name in CREDITS}),
        "method": "landmarks by the released network; statistics only, no picture",
    }
    return result


def shape_statistics(
    faces: Float[np.ndarray, "b n 3"], topology: Topology
) -> dict[str, np.ndarray]:
    """Computes mean face, effects and distribution of the controls, and modes of the residuals."""
    mirror = faces[:, topology.mirror] * np.array([-1.0, 1.0, 1.0])
    known = controls.read(faces, topology)
    both = np.concatenate([faces, mirror])
    values = np.concatenate([known, controls.mirrored(known)])
    mean, centre, spread = both.mean(0), values.mean(0), values.std(0)
    scores = (values - centre) / spread
    flat = (both - mean).reshape(len(both), -1)
    # Ridge regression, because the sides (brows, lids) are strongly correlated.
    normal = scores.T @ scores + 0.02 * len(scores) * np.eye(scores.shape[1])
    effects = np.linalg.solve(normal, scores.T @ flat)
    rest = flat - scores @ effects
    _, strength, modes = np.linalg.svd(rest, full_matrices=False)
    kept = min(_SHAPE_MODES, len(modes))
    deviation = strength[:kept] / np.sqrt(len(rest))
    steps = np.linspace(0, 1, _QUANTILES)
    ranks = np.argsort(np.argsort(values, axis=0), axis=0) / (len(values) - 1)
    return {
        "mean_shape": mean,
        "shape_modes": modes[:kept].reshape(kept, -1, 3) * deviation[:, None, None],
        "control_effects": effects.reshape(len(controls.NAMES), -1, 3) / spread[:, None, None],
        "control_mean": centre,
        "control_quantiles": np.quantile(values, steps, axis=0).T,
        "control_ranks": np.corrcoef(ranks.T),
    }


def pack(result: dict[str, Any]) -> bytes:
    """Returns the content of the file: float16 numbers, and maps as bytes with a scale."""
    arrays: dict[str, np.ndarray] = {}
    for name, value in result.items():
        if name == "about":
            text = json.dumps(value, indent=1, ensure_ascii=False).encode()
            arrays[name] = np.frombuffer(text, np.uint8)
        elif name.startswith("colour_"):
            axes = tuple(range(1, value.ndim))
            top = np.abs(value).max(axes, keepdims=True).clip(1e-9)
            arrays[name] = np.rint(value / top * 127).astype(np.int8)
            arrays[f"{name}_scale"] = (top / 127).astype(np.float32)
        else:
            arrays[name] = value.astype(np.float16)
    file = BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def main(args: list[str] | None = None) -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("shards", type=Path, help="a folder of labelled shards")
    parser.add_argument("--output", type=Path, required=True, help="the .npz file")
    parser.add_argument(
        "--faces", type=int, default=1400, help="maximum number of faces for colours"
    )
    options = parser.parse_args(args)
    try:
        result = measure(ShardSource(options.shards, Problems()), load(), options.faces)
        content = pack(result)
        write_atomically(options.output, content)
    except UserError as error:
        print(f"measure: {error}", file=sys.stderr)
        return 2
    check = zlib.crc32(content)
    print(f"{options.output}: {len(content)} bytes, crc {check:08x}, {result['about']}")
    return 0


def _pixels(face: LabelledFace) -> UInt8[np.ndarray, "h w 3"]:
    return decode(face.read_picture(), face.where).pixels


if __name__ == "__main__":
    raise SystemExit(main())
