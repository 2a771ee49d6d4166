"""What `amesh evaluate` is asked to do. The command line builds its options from this: no torch."""

from dataclasses import dataclass, field
from pathlib import Path

from amesh.data.sources.coordinates import Coordinates
from amesh.data.sources.formats import FormatName
from amesh.errors import UserError
from amesh.metrics.confidence import RESAMPLES
from amesh.nn.names import DEFAULT
from amesh.pipeline.listing import IMAGE_SUFFIXES
from amesh.pipeline.smoothing_kind import SmoothingKind


@dataclass(frozen=True)
class LabelledData:
    """Labelled sets to read, and what their formats leave open.

    Attributes:
        paths: Manifests (JSONL), folders of shards, of .pts, of .mat, COCO files, WFLW lists.
        format: Format of all sets; `auto` detects it.
        images: Folder of the pictures, for WFLW and COCO sets.
        scheme: Landmark scheme, if the format does not state it (pts, COCO).
        coordinates: Origin of the coordinates, if the format does not state it: corner, the corner
            of the top-left pixel; index, its centre at 0; one, its centre at 1.
        only: Take only the faces listed in this text file, one key per line, such as the
            held_out.txt that `amesh fit` writes.
        without: Leave out the faces listed in this text file, in the same form.
        outside: Read pictures that a set names outside its own folder, too.
    """

    paths: tuple[Path, ...] = ()
    format: FormatName = "auto"
    images: Path | None = None
    scheme: str | None = None
    coordinates: Coordinates | None = None
    only: Path | None = None
    without: Path | None = None
    outside: bool = False


@dataclass(frozen=True)
class Evaluation:
    """An evaluation to run.

    Attributes:
        data: Labelled sets.
        models: Networks to evaluate: installed weights by name, or files; NAME=FILE names one in
            the tables. The default network if there are no predictions either.
        predictions: Predictions made elsewhere, on the pictures or on the clips of --video: a file
            of records as `amesh run --output` writes it, or a folder of labels that `amesh label
            --cut 0 --max-disagreement 1 --min-face 1` wrote, which keeps the hard faces too.
            NAME=PATH names it in the tables.
        output: Folder for the report.
        runtime: Runtime for the networks; `auto` takes the fastest one installed. Exported files
            among them run on their own.
        threads: CPU threads that each network may use.
        detector: Run the full pipeline with its face detector too, not only crops from the labels.
        mediapipe_crop: Also run each network as MediaPipe does: with its short-range detector only,
            and on crops that are half a pixel off.
        reference: Name of the network or predictions to compare the others with; of several names,
            each table takes the first that it shows. By default, the first set.
        robustness: Also measure the error under shift, scale and rotation of the crop.
        videos: Clips in which to follow faces, to measure jitter, lag, blinks and losses.
        smoothing: How to smooth the landmarks of the networks in these clips; each is measured.
        still: Number of still faces used to measure jitter.
        worst: Number of faces to draw on each network's sheet of its worst faces; the sheet shows
            the pictures.
        limit: Use at most this many labels of each source.
        resamples: Number of bootstrap resamples behind each confidence interval.
        seed: Seed of the bootstrap.
    """

    data: LabelledData = field(default_factory=LabelledData)
    models: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    output: Path = Path("evaluation")
    runtime: str = "auto"
    threads: int = 1
    detector: bool = True
    mediapipe_crop: bool = False
    reference: tuple[str, ...] = ()
    robustness: bool = False
    videos: tuple[Path, ...] = ()
    smoothing: tuple[SmoothingKind, ...] = ("off", "mediapipe")
    still: int = 0
    worst: int = 0
    limit: int | None = None
    resamples: int = RESAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what cannot be done.

        Raises:
            UserError: A number is out of its range, or options do not go together.
        """
        if not self.data.paths and not self.videos:
            raise UserError("no data: give at least one labelled set with --data, or --video")
        ranges = {"threads": 1, "limit": 1, "resamples": 1, "still": 0, "worst": 0}
        for name, least in ranges.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"{name} must be {least} or more, found {value}")
        if (self.data.only or self.data.without) and not self.data.paths:
            raise UserError("--only and --without choose faces of labelled sets: give --data")
        if self.still and not self.data.paths:
            raise UserError("still faces come from labelled pictures: give --data")
        if self.mediapipe_crop and not self.detector:
            raise UserError("--mediapipe-crop needs the full pipeline: leave out --no-detector")
        if self.videos and not self.detector:
            raise UserError("--video needs the detector to find faces: leave out --no-detector")
        for clip in self.videos:
            if clip.suffix.lower() in IMAGE_SUFFIXES:
                raise UserError(f"{clip} is a picture; --video takes clips, and --data pictures")

    @property
    def model_names(self) -> tuple[str, ...]:
        """The networks to run."""
        return self.models or (() if self.predictions else (DEFAULT,))
