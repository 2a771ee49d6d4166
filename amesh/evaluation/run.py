"""`amesh evaluate`: networks, and predictions made elsewhere, against labelled pictures."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import amesh
from amesh.errors import UserError
from amesh.evaluation.accuracy import Scores, score, score_matched
from amesh.evaluation.agreement import compare
from amesh.evaluation.labels import Coordinates, Label, limit_labels, read_labels
from amesh.evaluation.models import FaceFinder, ModelRun, run_models
from amesh.evaluation.predictions import Predictions, parse_predictions
from amesh.evaluation.report import Report, markdown, write
from amesh.evaluation.robustness import curves
from amesh.evaluation.schemes import label_scheme
from amesh.evaluation.tables import accuracy_rows, detection_rows, offset_rows
from amesh.face_mesh import FaceMesh, RuntimeName
from amesh.files import as_user_error
from amesh.metrics.bootstrap import RESAMPLES
from amesh.topology.scheme import Topology
from amesh.topology.scheme import load as load_topology

_MEDIAPIPE = ", MediaPipe's crop"

# Opens a network: its name or file, the runtime, and whether to cut crops as MediaPipe does.
OpenModel = Callable[[str, RuntimeName, bool], FaceFinder]


def evaluate(
    data: Sequence[Path],
    model: Sequence[str] | None = None,
    predictions: Sequence[str] | None = None,
    output: Path = Path("evaluation"),
    coordinates: Coordinates | None = None,
    runtime: RuntimeName = "auto",
    mediapipe_crop: bool = False,
    robustness: bool = False,
    limit: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    open_model: OpenModel | None = None,
) -> int:
    """Scores networks on labelled pictures and writes the tables as Markdown and JSON.

    By the full pipeline and in regions of interest taken from the labels: errors by source, with
    95 % bootstrap intervals, several networks side by side, the first being what others are
    compared with.

    Args:
        data: Label manifests (JSONL).
        model: Installed weights or weights files; released-192 where no predictions are given.
        predictions: NAME=FILE.jsonl, records that `amesh run --output` or another program wrote.
        output: Folder for evaluation.md and evaluation.json.
        coordinates: What labels without a `coordinates` key use: corner, or index where the centre
            of the top-left pixel is (0, 0).
        runtime: What runs the networks.
        mediapipe_crop: Run each network a second time, cutting crops as MediaPipe does and finding
            faces by its short-range detector only.
        robustness: Also measure the error against shift, scale and roll of the crop.
        limit: At most so many labels of each source.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        open_model: Opens a network; `amesh.FaceMesh` by default.

    Returns:
        0, or 1 where some pictures could not be read.

    Raises:
        UserError: A manifest, a prediction file or an option is wrong.
    """
    if limit is not None and limit < 1:
        raise UserError(f"limit must be 1 or more, found {limit}")
    if resamples < 1:
        raise UserError(f"resamples must be 1 or more, found {resamples}")
    topology = load_topology()
    labels = _read(data, coordinates, topology, limit)
    given = [parse_predictions(argument, topology.points) for argument in predictions or ()]
    names = list(model) if model else ([] if given else ["released-192"])
    if robustness and not names:
        raise UserError("robustness needs a network to run: give --model")
    models = _open(names, runtime, mediapipe_crop, open_model or open_face_mesh)
    _check_names([*models, *(prediction.name for prediction in given)])
    for prediction in given:  # a picture that is missing shows before the long work, not after
        for label in labels:
            prediction.of(label)
    _try_folder(output)
    runs = run_models(models, labels, topology, misplace_rois=robustness) if models else {}
    report = _report(labels, runs, given, topology, resamples, seed)
    report.about.update(
        amesh=amesh.__version__,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        data=[f"{path.resolve().parent.name}/{path.name}" for path in map(Path, data)],
        coordinates=coordinates or "as each label says",
        limit=limit or "none",
        bootstrap=f"{resamples} resamples, seed {seed}",
    )
    files = write(report, output)
    print(markdown(report))
    print("written: " + ", ".join(str(path) for path in files), file=sys.stderr)
    for reason in report.failed.values():
        print(reason, file=sys.stderr)
    return 1 if report.failed else 0


def open_face_mesh(model: str, runtime: RuntimeName, mediapipe_crop: bool) -> FaceFinder:
    """A network in its pipeline, or in one that cuts crops and finds faces as MediaPipe does."""
    detector: Literal["short", "both"] = "short" if mediapipe_crop else "both"
    return FaceMesh(model, runtime, detector=detector, mediapipe_crop=mediapipe_crop)


def _read(
    data: Sequence[Path], coordinates: Coordinates | None, topology: Topology, limit: int | None
) -> list[Label]:
    if not data:
        raise UserError("no data: give at least one label manifest with --data")
    labels = [label for manifest in data for label in read_labels(Path(manifest), coordinates)]
    for label in labels:
        if label.scheme is None:
            continue
        try:
            scheme = label_scheme(label.scheme, topology)
        except UserError as error:
            raise UserError(f"{label.where}: {error}") from error
        if len(label.points) != scheme.points:
            raise UserError(
                f"{label.where}: {len(label.points)} points, but {scheme.name} has {scheme.points}"
            )
    return limit_labels(labels, limit) if limit else labels


def _open(
    names: Sequence[str], runtime: RuntimeName, mediapipe_crop: bool, open_model: OpenModel
) -> dict[str, FaceFinder]:
    models: dict[str, FaceFinder] = {}
    for name in names:
        shown = Path(name).stem if name.endswith(".safetensors") else name
        _check_names([*models, shown])
        models[shown] = open_model(name, runtime, False)
        if mediapipe_crop:
            models[shown + _MEDIAPIPE] = open_model(name, runtime, True)
    return models


def _check_names(names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise UserError(f"two sets of predictions are called {name!r}; give NAME=FILE")


def _try_folder(folder: Path) -> None:
    """Fails before the long work where its result could not be written."""
    with as_user_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def _report(
    labels: Sequence[Label],
    runs: dict[str, ModelRun],
    given: Sequence[Predictions],
    topology: Topology,
    resamples: int,
    seed: int,
) -> Report:
    everything = [*(run.full for run in runs.values()), *given]
    full = {found.name: score(labels, found.of, topology) for found in everything}
    in_roi: dict[str, Scores] = {}
    for name, run in runs.items():
        in_roi[name] = score_matched(labels, run.in_roi, topology)
    return Report(
        about={},
        detection=detection_rows(labels, full, resamples, seed),
        full=accuracy_rows(labels, full, resamples, seed),
        in_roi=accuracy_rows(labels, in_roi, resamples, seed) if in_roi else [],
        offsets=offset_rows(labels, full, resamples, seed),
        agreement=[
            compare(first, second, topology)
            for i, first in enumerate(everything)
            for second in everything[i + 1 :]
        ],
        robustness={
            name: curves(labels, run.misplaced, topology, resamples, seed)
            for name, run in runs.items()
            if run.misplaced
        },
        failed={
            source: found.failed[source]
            for found in everything
            for label in labels
            if (source := found.find(label.image)) in found.failed and source is not None
        },
    )
