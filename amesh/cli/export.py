"""`amesh export`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from amesh.cli.options import DONE, MODEL, Verbs, positive, verb
from amesh.errors import UserError

if TYPE_CHECKING:
    from amesh.deploy.parity import Images


# Pictures that int8 is calibrated on, at most: a few hundred faces are what the field takes.
_CALIBRATED = 256


def _batch(text: str) -> int | None:
    return None if text == "dynamic" else positive(text)


def add_export(verbs: Verbs) -> None:
    """Adds `export`."""
    parser = verb(
        verbs,
        "export",
        "write a network as a file of another runtime, checked against PyTorch\n\n"
        "The file is run on a set of crops before it is written: a table says how far its\n"
        "landmarks are from PyTorch's, in pixels, and a file out of tolerance is not left.\n"
        "FILE.json beside it holds the figures, hashes, names and shapes.",
    )
    parser.add_argument(
        "format",
        choices=["onnx", "litert", "tensorrt", "task"],
        help="onnx: ONNX Runtime; litert: Android, a .tflite file; tensorrt: an engine for the "
        "NVIDIA GPU in this machine; task: a bundle for MediaPipe's Face Landmarker",
    )
    parser.add_argument("--model", default=MODEL, help="installed weights, or a file")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="by default named after network and precision"
    )
    parser.add_argument(
        "--precision",
        default="fp32",
        choices=["fp32", "fp16", "int8"],
        help="fp16: half the size, up to half a pixel off; int8: onnx and tensorrt, experimental",
    )
    parser.add_argument(
        "--calibrate",
        nargs="+",
        metavar="SOURCE",
        help="pictures or folders: int8 takes the ranges of its numbers from the faces in them "
        f"({_CALIBRATED} pictures are enough); without, from a few crops of one face",
    )
    parser.add_argument(
        "--batch",
        type=_batch,
        metavar="N|dynamic",
        help="faces per run; dynamic by default, 1 for litert; always 1 for task",
    )
    parser.add_argument(
        "--part",
        metavar="NAME",
        help="only one network of a cascade: mesh, lips, right_eye or left_eye",
    )
    parser.add_argument(
        "--untrained",
        choices=["attention_mesh", "mesh_only", "cascade"],
        help="fresh weights for the member of the family that --model names: to time it",
    )
    parser.set_defaults(call=_export)


def _export(options: argparse.Namespace) -> int:
    from amesh.deploy.export import export

    export(
        options.model,
        options.format,
        options.output,
        options.precision,
        options.batch,
        options.part,
        options.untrained,
        _calibration(options),
    )
    return DONE


def _calibration(options: argparse.Namespace) -> "Images | None":
    """Faces to calibrate on, found by the network itself."""
    if not options.calibrate:
        return None
    fits = options.precision == "int8" and options.format in ("onnx", "tensorrt")
    if not fits or options.part or options.untrained:
        raise UserError(
            "--calibrate goes with --precision int8 of onnx or tensorrt, of a whole trained network"
        )
    from amesh.face_mesh import FaceMesh
    from amesh.pipeline.face_crops import face_crops
    from amesh.pipeline.run import pictures

    found = [picture.path for picture in pictures(options.calibrate)]
    return face_crops(FaceMesh(options.model, "torch"), found, _CALIBRATED, print)
