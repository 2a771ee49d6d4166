"""Writes what the browser knows of the landmarks: `python web/tools/topology.py`.

`src/lib/topology.ts` is a copy of facts of the package's topology, so that no number of a landmark
is written twice by hand. Run this again after a change of the topology; a test fails until then.
"""

import json
import math
from pathlib import Path

from amesh.topology import load

FILE = Path(__file__).resolve().parents[1] / "src" / "lib" / "topology.ts"
_HEAD = """\
// Written by `python web/tools/topology.py` from the package's topology; do not edit.

import type { Topology } from './topology-type';
"""


def text() -> str:
    """The file's content."""
    topology = load()
    assert topology.midline is not None
    template = topology.template
    across, down = (
        math.dist(*template[list(pair), :2]) for pair in (topology.anchors, topology.midline)
    )
    rules = topology.require_roi()
    facts = {
        "name": topology.name,
        "points": topology.points,
        "anchors": list(topology.anchors),
        "midline": list(topology.midline),
        "frontal": round(across / down, 9),
        "eyeShare": round(across / float((template.max(0) - template.min(0))[:2].max()), 9),
        "fromDetection": [rules.from_detection.scale, *rules.from_detection.shift],
        "fromLandmarks": [rules.from_landmarks.scale, *rules.from_landmarks.shift],
    }
    contours = {name: [list(line) for line in lines] for name, lines in topology.contours.items()}
    irises = {f"{side}_iris": list(topology.indices(f"{side}_iris")) for side in ("right", "left")}
    parts = [
        _HEAD,
        "/** Where crops lie, and what else the pipeline needs to know of the landmarks. */",
        f"export const TOPOLOGY: Topology = {json.dumps(facts)};\n",
        "/** Lines along the parts of a face, by name: rows of landmarks. */",
        f"export const CONTOURS: Record<string, number[][]> = {json.dumps(contours)};\n",
        "/** The centre of each iris, then the points of its outline. */",
        f"export const IRISES: Record<string, number[]> = {json.dumps(irises)};\n",
        "/** The triangles of the mesh: three landmarks each. */",
        f"export const TRIANGLES = new Uint16Array({_flat(topology.triangles)});",
    ]
    return "\n".join(parts) + "\n"


def _flat(triangles: object) -> str:
    return json.dumps([int(i) for triangle in triangles for i in triangle])  # type: ignore[attr-defined]


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
