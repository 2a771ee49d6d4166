"""Writes what the browser's effects know of a face: `python web/tools/face_data.py`.

`src/lib/effects/face.json` is a copy of facts of the package, so that no number of a landmark is
written twice by hand. Run this again after a change of the topology, the canonical face or the rows
of landmarks that makeup goes along; a test fails until then.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from amesh.effects import makeup_shapes
from amesh.effects.canonical import canonical_face
from amesh.topology import load
from amesh.topology.lids import Lids

HERE = Path(__file__).resolve().parent
FILE = HERE.parent / "src" / "lib" / "effects" / "face.json"


def face_data() -> dict[str, Any]:
    """The facts; arrays are flat, row after row.

    Returns:
        `template` and `normals`: the mean face and its smooth normals (478, 3). `points`: the
        canonical face [mm] (478, 3), `uv` (478, 2), `triangles` (906, 3), `rigid`: which points an
        expression does not move. `lips`, `eyes`, `cheeks`, `oval`: rows of landmarks for makeup.
    """
    topology, canonical, rows = load(), canonical_face(), makeup_shapes._rows()
    return {
        "template": _flat(topology.template, 4),
        "normals": _flat(makeup_shapes._normals(), 4),
        "points": _flat(canonical.points, 2),
        "uv": _flat(canonical.uv, 4),
        "triangles": canonical.triangles.ravel().tolist(),
        "rigid": canonical.rigid.tolist(),
        "lips": [_lids(border) for border in rows.lips],
        "eyes": [
            {name: list(getattr(eye, name)) for name in eye.__dataclass_fields__}
            for eye in rows.eyes
        ],
        "cheeks": [list(row) for row in rows.cheeks],
        "oval": list(rows.oval),
        "corners": list(topology.anchors),
    }


def text() -> str:
    """The file's content: a line per fact, so that changes can be read."""
    lines = [f'  "{name}": {json.dumps(value)}' for name, value in face_data().items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _flat(array: np.ndarray, decimals: int) -> list[float]:
    # + 0 turns -0.0, which JSON would keep, into 0.0.
    return (array.round(decimals) + 0.0).ravel().tolist()


def _lids(border: Lids) -> dict[str, list[int]]:
    first, last = border.corners
    return {"upper": [first, *border.upper, last], "lower": [first, *border.lower, last]}


if __name__ == "__main__":
    FILE.write_text(text())
    sys.stdout.write(f"{FILE}\n")
