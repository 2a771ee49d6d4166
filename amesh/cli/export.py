"""`amesh export`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amesh.cli.parsing import DONE, positive
from amesh.deploy import formats
from amesh.deploy.formats import INPUTS, SAMPLES, Batch
from amesh.errors import UserError
from amesh.nn.names import DEFAULT
from amesh.weights import architectures

if TYPE_CHECKING:
    from amesh.deploy.parity import Images

DETAILS = """
The exported network runs on a set of crops first: a table shows how far its landmarks are from
PyTorch's, in pixels, and a file out of tolerance is not kept. FILE.json beside the file holds
these figures, and its hashes, names and shapes.
"""

# Pictures that int8 is calibrated on, at most: a few hundred faces are usual.
_CALIBRATED = 256
_SAMPLES = 2


def _batch(text: str) -> Batch:
    if text == "dynamic":
        return "dynamic"
    if ":" not in text:
        return positive(text)
    numbers = tuple(positive(number) for number in text.split(":"))
    if len(numbers) != 3 or list(numbers) != sorted(numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is not MIN:OPT:MAX, such as 1:8:64")
    return numbers


def _default_batches() -> str:
    """What `--batch` is by default, by format."""
    kinds = {"any": "dynamic for {}", "fixed": "1 for {}", "one": "always 1 for {}"}
    rows = formats.exported()
    return "; ".join(
        text.format(", ".join(row.name for row in rows if row.batches == kind))
        for kind, text in kinds.items()
    )


def _opsets() -> str:
    """What `--opset` takes, by format."""
    rows = (row for row in formats.exported() if row.opsets)
    return "; ".join(f"{row.name} {row.opsets[0]} to {row.opsets[-1]}" for row in rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    int8 = " and ".join(row.name for row in formats.exported() if "int8" in row.precisions)
    parser.add_argument(
        "format",
        choices=formats.names(formats.exported()),
        help="; ".join(f"{row.name}: {row.summary}" for row in formats.exported()),
    )
    parser.add_argument("--model", default=DEFAULT, help="installed weights by name, or a file")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="file to write (default: named after network and precision)",
    )
    parser.add_argument(
        "--precision",
        default="fp32",
        choices=formats.precisions(formats.exported()),
        help=f"fp16: half the size, up to half a pixel off; int8: for {int8}, experimental",
    )
    parser.add_argument(
        "--calibrate",
        nargs="+",
        metavar="SOURCE",
        help="pictures or folders with faces to calibrate int8 on; the first "
        f"{_CALIBRATED} pictures are used (default: a few crops of one face)",
    )
    parser.add_argument(
        "--batch",
        type=_batch,
        metavar="N|dynamic|MIN:OPT:MAX",
        help=f"faces per run (default: {_default_batches()}); a range is for tensorrt, whose "
        "default is 1:8:64",
    )
    parser.add_argument(
        "--opset",
        type=int,
        metavar="N",
        help=f"version of an ONNX file's operators, for {_opsets()} (default: 19)",
    )
    parser.add_argument(
        "--part",
        metavar="NAME",
        help="export one network of a cascade only: mesh, lips, right_eye or left_eye",
    )
    parser.add_argument(
        "--untrained",
        choices=architectures.options(),
        help="export --model with random weights and this architecture, to measure its speed",
    )
    parser.add_argument(
        "--with-crop",
        action="store_true",
        help="for onnx: a file that takes a picture and regions of interest, cuts the crops itself "
        "and answers in pixels of the picture",
    )
    parser.add_argument(
        "--samples",
        type=positive,
        metavar="N",
        help="with --with-crop: N x N samples make a crop pixel, so crops may shrink the picture "
        f"N times without aliasing ({SAMPLES[0]} to {SAMPLES[-1]}, default: {_SAMPLES})",
    )
    parser.add_argument(
        "--input",
        choices=INPUTS,
        help="uint8: the file takes crops as bytes, (b s s 3), RGB from 0 to 255, a quarter of the "
        "copy to a GPU; for onnx and tensorrt (default: float32)",
    )
    parser.add_argument(
        "--web",
        action="store_true",
        help="for litert: a file for the module in web/: smaller once compressed, as large kernels "
        "are rounded, and with landmarks in an order that WebGPU can write",
    )
    engines = parser.add_argument_group("options of tensorrt")
    engines.add_argument(
        "--hardware",
        choices=("this", "capability", "ampere"),
        help="GPUs that the engine runs on: this model (the default, and the fastest), those of "
        "the same compute capability, or Ampere and newer",
    )
    engines.add_argument(
        "--version-compatible",
        action="store_true",
        help="the engine also runs in later minor versions; needs the extra tensorrt-lean",
    )
    engines.add_argument(
        "--timing-cache",
        type=Path,
        metavar="FOLDER",
        help="keep measured times there, so that the next build takes seconds",
    )
    parser.set_defaults(call=_export)


def _export(options: argparse.Namespace) -> int:
    # Before the heavy imports, and before any work: what is missing is told at once.
    if options.samples and not options.with_crop:
        raise UserError("--samples is for --with-crop: other files take crops")
    row = formats.format_named(options.format)
    row.check_options(_further(options))
    row.require()
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
        samples=options.samples or _SAMPLES if options.with_crop else None,
        opset=options.opset,
        options=_further(options),
    )
    return DONE


def _further(options: argparse.Namespace) -> dict[str, Any]:
    """The options of one format that were given."""
    names = ("input", "web", "hardware", "version_compatible", "timing_cache")
    return {name: value for name in names if (value := getattr(options, name))}


def _calibration(options: argparse.Namespace) -> "Images | None":
    """Faces to calibrate on, found by the network itself."""
    if not options.calibrate:
        return None
    formats.format_named(options.format).check_precision(options.precision)
    if options.precision != "int8" or options.part or options.untrained:
        raise UserError("--calibrate is for --precision int8, with a whole trained network")
    from amesh.face_mesh import FaceMesh
    from amesh.pipeline.face_crops import face_crops
    from amesh.pipeline.inputs import Picture, find_inputs

    inputs = find_inputs(options.calibrate).found
    found = [one.path for one in inputs if isinstance(one, Picture)]
    return face_crops(FaceMesh(options.model, "torch"), found, _CALIBRATED, print)
