"""Options that several commands share."""

import argparse
import gc
import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, get_args

from amesh.cli.fields import add_fields, from_options
from amesh.cli.parsing import positive, threshold
from amesh.data.loading.limits import MAX_PIXELS
from amesh.data.sources.formats import FORMATS
from amesh.deploy import formats
from amesh.errors import UserError, how_to_install
from amesh.evaluation.options import LabelledData
from amesh.pipeline.detector_kind import DetectorKind
from amesh.pipeline.smoothing_kind import SmoothingKind

if TYPE_CHECKING:
    from amesh.face_mesh import FaceMesh
    from amesh.pipeline.tracking import Tracker


def needs_training(module: str, name: str) -> Any:
    """A function of a module that needs the extra `train`, which is imported here.

    Raises:
        UserError: What it needs is not installed.
    """
    try:
        return getattr(_import(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("amesh"):
            raise
        raise UserError(f"this needs {error.name}: {how_to_install('train')}") from None


def _import(module: str) -> ModuleType:
    """Imports a module that brings hundreds with it, without collecting garbage meanwhile.

    The collector would look through all that is loaded again and again, and once more at the end of
    the process: a third of the time that importing Lightning takes.
    """
    if module in sys.modules or not gc.isenabled():
        return importlib.import_module(module)
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def add_face_mesh(
    parser: argparse.ArgumentParser, default: str, model: str, video: bool = False
) -> None:
    """Adds the options of `FaceMesh`.

    Args:
        parser: Of the command.
        default: Default of `--model`.
        model: Help of `--model`.
        video: The command also takes video, with defaults of its own: see `open_tracker`.
    """
    defaults = " (default: auto for pictures, short for video)" if video else ""
    most = "; in video, follow at most N (default: all in pictures, 1 in video)" if video else ""
    parser.add_argument("--model", default=default, help=model)
    add_runtime(parser)
    parser.add_argument(
        "--detector",
        default=None if video else "auto",
        choices=get_args(DetectorKind),
        help="face detector: short for faces near the camera, full for smaller ones, auto for "
        "short and, where that finds no large face, full; crowd to search tiles of the picture "
        f"with both{defaults}",
    )
    parser.add_argument(
        "--max-faces", type=positive, metavar="N", help=f"keep at most N faces per picture{most}"
    )
    parser.add_argument(
        "--min-score",
        type=threshold,
        default=0.5,
        metavar="P",
        help="drop faces whose confidence is below P",
    )


def add_runtime(parser: argparse.ArgumentParser) -> None:
    """Adds `--runtime` and `--threads`."""
    parser.add_argument(
        "--runtime",
        default="auto",
        choices=formats.runtime_names(),
        help="runtime for weights; auto takes the fastest one installed. Exported files run on "
        "their own",
    )
    parser.add_argument(
        "--threads",
        type=positive,
        default=1,
        metavar="N",
        help="CPU threads that each network may use; two shorten the wait for one face, one takes "
        "the least CPU time",
    )


def add_max_pixels(parser: argparse.ArgumentParser) -> None:
    """Adds `--max-pixels`."""
    parser.add_argument(
        "--max-pixels",
        type=positive,
        default=MAX_PIXELS,
        metavar="N",
        help="do not read pictures with more than N pixels, about 6 bytes of memory each; pictures "
        "in memory at the same time have N in all, or 16 million per worker if that is more",
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Adds `--workers`."""
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="pictures to process at the same time, on a core each; results do not depend on it "
        "(default: all cores)",
    )


def workers(options: argparse.Namespace) -> int:
    """The number that `--workers` means."""
    from amesh.pipeline.parallel import cores

    return options.workers or cores()


def open_face_mesh(options: argparse.Namespace) -> "FaceMesh":
    """Opens what the options of `add_face_mesh` name.

    Raises:
        UserError: There is no such network, or it cannot be run.
    """
    from amesh.face_mesh import FaceMesh

    return FaceMesh(
        options.model,
        options.runtime,
        detector=options.detector or "auto",
        max_faces=options.max_faces,
        min_score=options.min_score,
        threads=options.threads,
    )


def add_tracker(parser: argparse.ArgumentParser) -> None:
    """Adds the options that only following faces in video has."""
    parser.add_argument(
        "--detect-every",
        type=positive,
        default=10,
        metavar="N",
        help="in video, look for new faces in every N-th frame while fewer than --max-faces are "
        "followed",
    )
    parser.add_argument(
        "--smoothing",
        default="mediapipe",
        choices=get_args(SmoothingKind),
        help="how strongly landmarks are smoothed over the frames of a video",
    )


def open_tracker(options: argparse.Namespace) -> "Callable[[], Tracker]":
    """Opens what the options of `add_face_mesh` and `add_tracker` name.

    Returns:
        A function that makes a tracker for a video: the networks are opened once.

    Raises:
        UserError: There is no such network, or it cannot be run.
    """
    from amesh.face_tracker import FaceTracker
    from amesh.pipeline.tracking import Tracker

    first = FaceTracker(
        options.model,
        options.runtime,
        detector=options.detector or "short",
        max_faces=options.max_faces or 1,
        min_score=options.min_score,
        smoothing=options.smoothing,
        detect_every=options.detect_every,
        threads=options.threads,
    )
    return partial(Tracker, first.pipeline, first.smoothing, first.detect_every)


SETS = ", ".join(one.sets for one in FORMATS.values())


def add_sets(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """Adds the options that name labelled sets and choose faces from them.

    Args:
        parser: Of the command.
        required: Whether there has to be a set.
    """
    parser.add_argument(
        "--data",
        dest="paths",
        nargs="+",
        type=Path,
        default=[],
        required=required,
        metavar="SET",
        help=f"labelled sets: {SETS}",
    )
    add_formats(parser)
    add_fields(
        parser,
        LabelledData,
        skip=("paths", *_FORMATS),
        only={"metavar": "FILE"},
        without={"metavar": "FILE"},
    )


_FORMATS = ("format", "images", "scheme", "coordinates", "outside")


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say what a set's format leaves open."""
    add_fields(
        parser,
        LabelledData,
        skip=("paths", "only", "without"),
        images={"metavar": "DIR"},
        scheme={"metavar": "NAME"},
    )


def chosen_sets(options: argparse.Namespace) -> LabelledData:
    """The labelled sets that the options of `add_sets` name."""
    return from_options(LabelledData, options)
