"""Grades our blendshapes, and compares them with those of Face Landmarker.

`amesh effects grade` runs it. Its records are what `tests/video/mediapipe_worker.py landmarker`
writes: for each frame of some clips, Face Landmarker's landmarks and values. Our networks see the
same landmarks, so that networks are compared and nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple, NotRequired, TypedDict

import numpy as np
from jaxtyping import Float
from msgspec import Meta

from amesh.effects.blendshape_network import read_network
from amesh.effects.blendshapes import NAMES, Blendshapes
from amesh.errors import UserError
from amesh.evaluation.blendshapes_at_rest import (
    PEOPLE,
    frames_at_rest,
    rest_rows,
    synthetic_people_at_rest,
)
from amesh.evaluation.markdown import table
from amesh.files import write_atomically
from amesh.json_lines import lines, parse
from amesh.training.blendshape_faces import read_model, synthetic_faces

PROGRAMS = ("Face Landmarker", "released", "amesh")
MOVES = 0.1  # difference of the 2nd and the 98th percentile of a clip
MEASURED = {"synthetic": 0.93, "clips": 0.7}  # smallest correlations
_HELD_OUT = 2000  # synthetic faces
_STILL = 0.3  # share of the frames of a clip
_LIDS = {"eyeBlinkLeft": (386, 374, 362, 263), "eyeBlinkRight": (159, 145, 133, 33)}
_LIPS = (13, 14, 33, 263)  # against the distance of the eyes, which the mouth does not change


class _Face(TypedDict):
    landmarks: Annotated[list[tuple[float, float, float]], Meta(min_length=478, max_length=478)]
    blendshapes: NotRequired[dict[str, float]]


class _Record(TypedDict):
    """A frame of a clip."""

    source: str
    faces: list[_Face]


class Clip(NamedTuple):
    """A clip: landmarks, and values of each program."""

    landmarks: Float[np.ndarray, "t 478 3"]
    values: dict[str, Float[np.ndarray, "t 52"]]


def read_clips(records: Path) -> dict[str, Clip]:
    """Reads the records of Face Landmarker, and runs our networks on its landmarks.

    Raises:
        UserError: The file cannot be read, a line is no such record, or none has blendshapes.
    """
    landmarks: dict[str, list[list[tuple[float, float, float]]]] = {}
    theirs: dict[str, list[list[float]]] = {}
    for number, line in lines(records):
        record = parse(line, _Record, f"{records}, line {number}")
        for face in record["faces"][:1]:
            shapes = face.get("blendshapes")
            if shapes is None:
                raise UserError(f"{records}: no blendshapes in it; record them again")
            landmarks.setdefault(record["source"], []).append(face["landmarks"])
            found = [float(shapes.get(name, 0.0)) for name in NAMES]
            theirs.setdefault(record["source"], []).append(found)
    if not landmarks:
        raise UserError(f"{records}: no faces in it")
    networks = {name: Blendshapes(name) for name in PROGRAMS[1:]}
    clips = {}
    for source, points in landmarks.items():
        faces = np.array(points)
        ours = {name: network(faces) for name, network in networks.items()}
        clips[source] = Clip(faces, {PROGRAMS[0]: np.array(theirs[source]), **ours})
    return clips


def correlation(a: Float[np.ndarray, " t"], b: Float[np.ndarray, " t"]) -> float:
    """Pearson's correlation; 0 where one of them is constant."""
    if np.ptp(a) < 1e-6 or np.ptp(b) < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def movement(values: Float[np.ndarray, "t 52"]) -> Float[np.ndarray, " 52"]:
    """How far each value moves in a clip."""
    low, high = np.percentile(values, (2, 98), axis=0)
    return np.asarray(high - low)


def grade(clips: Mapping[str, Clip], ict: Path) -> dict[str, dict[str, object]]:
    """The grade of each name, and the correlations that it rests on.

    Args:
        clips: Where Face Landmarker is the reference, in the clips in which a name moves.
        ict: ICT-FaceKit's shapes, for people whom training has not seen.
    """
    seen, truth = synthetic_faces(
        read_model(ict), _HELD_OUT, np.random.default_rng(1), held_out=True
    )
    found = read_network().values(seen)
    grades: dict[str, dict[str, object]] = {}
    for i, name in enumerate(NAMES):
        if name == "tongueOut":
            grades[name] = {"grade": "absent"}
            continue
        synthetic = correlation(found[:, i], truth[:, i])
        agreed = [
            correlation(clip.values["amesh"][:, i], clip.values[PROGRAMS[0]][:, i])
            for clip in clips.values()
            if movement(clip.values[PROGRAMS[0]])[i] > MOVES
        ]
        clear = synthetic >= MEASURED["synthetic"] and bool(agreed)
        measured = clear and float(np.median(agreed)) >= MEASURED["clips"]
        grades[name] = {
            "grade": "measured" if measured else "estimated",
            "synthetic": round(synthetic, 3),
            "clips": round(float(np.median(agreed)), 3) if agreed else None,
        }
    return grades


def describe(
    clips: Mapping[str, Clip],
    grades: Mapping[str, Mapping[str, object]],
    at_rest: Float[np.ndarray, " p"],
) -> str:
    """The report, as Markdown.

    Args:
        clips: Where programs are compared.
        grades: Of our names.
        at_rest: The largest value of each synthetic person at rest.
    """
    moved = {
        program: np.max([movement(clip.values[program]) for clip in clips.values()], axis=0)
        for program in PROGRAMS
    }
    names = [
        [
            name,
            str(grades[name]["grade"]),
            _number(grades[name].get("synthetic")),
            _number(grades[name].get("clips")),
            *(f"{moved[program][i]:.2f}" for program in PROGRAMS),
        ]
        for i, name in enumerate(NAMES)
    ]
    count = sum(one["grade"] == "measured" for one in grades.values())
    dead = {program: int((moved[program][:-1] < MOVES).sum()) for program in PROGRAMS}
    rows = []
    for source, clip in clips.items():
        for program in PROGRAMS:
            values = clip.values[program]
            blink = np.mean(
                [
                    correlation(values[:, NAMES.index(name)], -_opening(clip.landmarks, points))
                    for name, points in _LIDS.items()
                ]
            )
            jaw = correlation(values[:, NAMES.index("jawOpen")], _opening(clip.landmarks, _LIPS))
            step = f"{still_step(clip.landmarks, values):.4f}"
            rows.append([source, program, f"{blink:.2f}", f"{jaw:.2f}", step])
    frames = sum(len(clip.landmarks) for clip in clips.values())
    rest = {
        source: (clip.landmarks, frames_at_rest(_opening(clip.landmarks, _LIPS), values))
        for source, clip in clips.items()
        for values in [clip.values[PROGRAMS[0]]]
    }
    return f"""# Blendshapes

Written by `amesh effects grade`: {frames} frames of {len(clips)} clips, on Face Landmarker's own
smoothed landmarks, without calibration.

## Names

{count} names are *measured*: r >= {MEASURED["synthetic"]} with the truth on synthetic faces of
people whom training has not seen, and r >= {MEASURED["clips"]} with Face Landmarker (median over
the clips in which it moves the name by more than {MOVES}). The others are *estimated*. `movement`
is the range from the 2nd to the 98th percentile, in the clip where it is largest; names below
{MOVES}: {", ".join(f"{program} {count}" for program, count in dead.items())}.

{
        table(
            ["name", "grade", "synthetic r", "clips r"] + [f"movement, {one}" for one in PROGRAMS],
            names,
        )
    }

## Clips

* `blink`: correlation of eyeBlink with how far the lids are closed, mean of both eyes.
* `jaw`: correlation of jawOpen with the distance between the lips.
* `step`: mean change of a value from frame to frame, in the {_STILL:.0%} of frames in which the
  landmarks move least.

{table(["clip", "program", "blink", "jaw", "step"], rows)}

## At rest

Our values after calibration: the largest, as a mean over frames at rest. In clips, the frames at
rest are those with closed lips in which Face Landmarker's values are smallest; every other one is
calibrated on, and the others are judged. Of {PEOPLE} synthetic people whom training has not seen,
the largest value is {np.median(at_rest):.3f} in the median person, and {at_rest.max():.3f} at most.

{table(["clip", "largest value", "name"], rest_rows(rest))}
"""


def still_step(landmarks: Float[np.ndarray, "t 478 3"], values: Float[np.ndarray, "t 52"]) -> float:
    """Mean change of a value from frame to frame while the face is still."""
    moves = np.linalg.norm(np.diff(landmarks[..., :2], axis=0), axis=2).mean(axis=1)
    still = moves <= np.quantile(moves, _STILL)
    return float(np.abs(np.diff(values[:, :-1], axis=0))[still].mean())


def _opening(
    landmarks: Float[np.ndarray, "t 478 3"], points: Sequence[int]
) -> Float[np.ndarray, " t"]:
    """The distance between two points, against that between two others."""
    a, b, c, d = (landmarks[:, point, :2] for point in points)
    return np.asarray(np.linalg.norm(a - b, axis=1) / np.linalg.norm(c - d, axis=1))


def _number(value: object) -> str:
    return "-" if value is None else f"{value:.2f}"


def grade_blendshapes(records: Path, ict: Path, grades: Path | None, report: Path | None) -> str:
    """Grades our blendshapes; returns the report.

    Args:
        records: Of Face Landmarker, JSON Lines.
        ict: ICT-FaceKit's shapes, an `.npz` file.
        grades: Where to write the grades, if anywhere: JSON.
        report: Where to write the report, if anywhere: Markdown.

    Raises:
        UserError: There are no blendshapes in the records, Google's network has not been imported,
            or a file cannot be read or written.
    """
    clips = read_clips(records)
    found = grade(clips, ict)
    text = describe(clips, found, synthetic_people_at_rest(ict))
    if grades is not None:
        write_atomically(grades, (json.dumps(found, indent=1) + "\n").encode())
    if report is not None:
        write_atomically(report, text.encode())
    return text
