"""What `amesh evaluate` is asked to do."""

from dataclasses import dataclass, field
from pathlib import Path

from amesh.errors import UserError
from amesh.evaluation.labels.read import LabelledData
from amesh.face_mesh import RuntimeName
from amesh.metrics.bootstrap import RESAMPLES
from amesh.nn.config import DEFAULT


@dataclass(frozen=True)
class Evaluation:
    """An evaluation to be made.

    Attributes:
        data: Labelled sets.
        models: Installed weights or files, NAME=FILE to give one a name; the default where there
            are no predictions either.
        predictions: NAME=FILE.jsonl, records that `amesh run --output` or another program wrote,
            or NAME=FOLDER, labels that `amesh label --cut 0` made.
        output: Folder for the report.
        runtime: What runs the networks.
        detector: Also run the full pipeline; otherwise only in regions that labels give.
        mediapipe_crop: Run each network a second time, cutting crops as MediaPipe does and finding
            faces by its short-range detector only.
        reference: Name of the set that the others are compared with; the first by default.
        robustness: Also measure the error against shift, scale and roll of the crop.
        videos: Clips to measure jitter on.
        still: So many faces to measure jitter on that do not move.
        worst: So many faces on a sheet of the worst, for each network.
        limit: At most so many labels of each source.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """

    data: LabelledData = field(default_factory=LabelledData)
    models: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    output: Path = Path("evaluation")
    runtime: RuntimeName = "auto"
    detector: bool = True
    mediapipe_crop: bool = False
    reference: str | None = None
    robustness: bool = False
    videos: tuple[Path, ...] = ()
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
        for name, least in (("limit", 1), ("resamples", 1), ("still", 0), ("worst", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"{name} must be {least} or more, found {value}")
        if (self.data.only or self.data.without) and not self.data.paths:
            raise UserError("lists of keys are about labelled sets: give --data")
        if self.still and not self.data.paths:
            raise UserError("still faces come from labelled pictures: give --data")
        if self.mediapipe_crop and not self.detector:
            raise UserError("MediaPipe's crop is about the full pipeline: leave out --no-detector")
        if self.videos and not self.detector:
            raise UserError("faces in videos are found by the detector: leave out --no-detector")

    @property
    def model_names(self) -> tuple[str, ...]:
        """The networks to run."""
        return self.models or (() if self.predictions else (DEFAULT,))
