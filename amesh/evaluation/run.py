"""Scores networks, and predictions made elsewhere, on annotated pictures and on clips."""

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from amesh.data.sources.coordinates import Coordinates
from amesh.data.sources.labelled_face import LabelledFace
from amesh.deploy import formats
from amesh.errors import UserError
from amesh.evaluation.clips import FaceFollower
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.predictions import Predictions, parse_predictions
from amesh.evaluation.labels.read import Pictures, limit_labels, read_data
from amesh.evaluation.models import FaceFinder, run_models
from amesh.evaluation.options import Evaluation, LabelledData
from amesh.evaluation.report import Report, make_report, to_json, write
from amesh.evaluation.scores import score, score_matched
from amesh.face_mesh import FaceMesh, open_runner
from amesh.face_tracker import FaceTracker
from amesh.files import as_user_error, make_folder
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.pipeline.tracking import Tracker
from amesh.pipeline.video_file import pyav
from amesh.topology.scheme import Topology
from amesh.topology.scheme import load as load_topology

PathLike = str | os.PathLike[str]

_MEDIAPIPE = ", MediaPipe's crop"

# Opens a network: its name or file, the runtime, and whether to cut crops as MediaPipe does.
OpenModel = Callable[[str, str, bool], FaceFinder]
# Opens a network to follow faces with: its name or file, the runtime, and the smoothing.
OpenTracker = Callable[[str, str, str], FaceFollower]


def evaluate(
    data: PathLike | Sequence[PathLike] = (),
    models: PathLike | Sequence[PathLike] = (),
    predictions: str | Sequence[str] = (),
    output: PathLike = "evaluation",
    *,
    videos: PathLike | Sequence[PathLike] = (),
    coordinates: Coordinates | None = None,
    only: PathLike | None = None,
    without: PathLike | None = None,
    outside: bool = False,
    reference: str | Sequence[str] = (),
    **options: Any,
) -> dict[str, Any]:
    """Scores networks, or the predictions of another program, on annotated pictures or on clips.

    Does what `amesh evaluate` does, and writes the same report.

    Args:
        data: Annotated sets: a JSONL manifest, a folder of shards, or another format that training
            reads.
        models: Installed weights by name, or weights files; `NAME=FILE` gives one a name. The
            default network if neither models nor predictions are given.
        predictions: `NAME=FILE.jsonl`, as `amesh run --output` writes it.
        output: Folder for `evaluation.md` and `evaluation.json`.
        videos: Clips in which to follow faces; they need no annotations.
        coordinates: What annotations count from where their set does not say: `corner` or
            `index`.
        only: A list of keys: no other face is scored.
        without: A list of keys: these faces are left out.
        outside: Read pictures that a manifest names outside its own folder, too.
        reference: Which network or predictions to compare the others with; of several, each table
            takes the first that it shows. By default, the first set.
        **options: Any other field of `amesh.evaluation.options.Evaluation`, such as
            `robustness=True` or `limit=100`.

    Returns:
        What `evaluation.json` holds; `failed` names the pictures that could not be read.

    Examples:
        >>> report = evaluate("landmarks.jsonl", "paper-256", limit=1, detector=False)
        >>> report["about"]["limit"], report["failed"]
        (1, {})

    Raises:
        UserError: A set, a network, a prediction file or an option is wrong.
    """
    if unknown := sorted(options.keys() - Evaluation.__dataclass_fields__.keys()):
        known = ", ".join(name for name in Evaluation.__dataclass_fields__ if name != "data")
        raise UserError(f"evaluate has no option {unknown[0]!r}; it has: {known}")
    wanted = Evaluation(
        data=LabelledData(
            tuple(Path(path) for path in _several(data)),
            coordinates=coordinates,
            only=None if only is None else Path(only),
            without=None if without is None else Path(without),
            outside=outside,
        ),
        models=tuple(str(model) for model in _several(models)),
        predictions=tuple(str(file) for file in _several(predictions)),
        output=Path(output),
        videos=tuple(Path(clip) for clip in _several(videos)),
        reference=tuple(str(name) for name in _several(reference)),
        **options,
    )
    return to_json(run(wanted))


def run(
    wanted: Evaluation,
    open_model: OpenModel | None = None,
    open_tracker: OpenTracker | None = None,
) -> Report:
    """Scores networks on labelled pictures and clips, and writes the report as Markdown and JSON.

    Networks are scored by the full pipeline and in the regions of interest that the labels give,
    side by side, with 95 % bootstrap intervals.

    Args:
        wanted: The options.
        open_model: Opens a network for pictures; by default an `amesh.FaceMesh`.
        open_tracker: Opens a network for clips; by default an `amesh.FaceTracker`.

    Returns:
        What was written.

    Raises:
        UserError: A data set, a prediction file or an option is wrong.
    """
    threads = wanted.threads
    open_model = open_model or partial(open_face_mesh, detector=wanted.detector, threads=threads)
    open_tracker = open_tracker or partial(open_face_tracker, threads=threads)
    evaluated = _evaluated(wanted, open_model, open_tracker)
    report = make_report(evaluated)
    files = write(report, wanted.output)
    print("written: " + ", ".join(str(path) for path in files), file=sys.stderr)
    return report


def _evaluated(wanted: Evaluation, open_model: OpenModel, open_tracker: OpenTracker) -> Evaluated:
    """Reads labels and predictions, checks what can be checked, and runs the networks."""
    formats.require_runtime(wanted.runtime)
    if wanted.videos and wanted.model_names:
        pyav()  # before the long work
    topology = load_topology()
    regions, read = _read(wanted.data, topology, wanted.limit)
    labels = [label for label in regions if label.face]
    negatives = [label for label in regions if not label.face]
    if regions and not labels:
        raise UserError("no face among the labels: regions without one say nothing of the errors")
    given = _read_predictions(wanted, topology)
    if not wanted.model_names and (wanted.robustness or wanted.still):
        raise UserError("robustness and jitter need a network to run: give --model")
    files = _model_files(wanted)
    runtimes = {
        name: formats.runtime_among(file, files.values(), wanted.runtime)
        for name, file in files.items()
    }
    models = _open(wanted, files, runtimes, open_model) if wanted.data.paths else {}
    trackers: dict[str, dict[str, FaceFollower]] = {
        name: {how: open_tracker(file, runtimes[name], how) for how in wanted.smoothing}
        for name, file in (files.items() if wanted.videos else ())
    }
    _check_schemes(models, trackers, topology)
    names = [*dict.fromkeys([*models, *trackers]), *(prediction.name for prediction in given)]
    _check_names(names)
    if unknown := [name for name in wanted.reference if name not in names]:
        raise UserError(f"no set {unknown[0]!r} to compare with; there is: {', '.join(names)}")
    pictured = [prediction for prediction in given if prediction.faces or not prediction.clips]
    for prediction in pictured:  # fails on a missing picture before the long work, not after it
        for label in labels:
            prediction.of(label)
    try_folder(wanted.output)
    runs, negative_runs = {}, {}
    if models and labels:
        runs = run_models(models, labels, topology, wanted.robustness, wanted.detector, read)
    if models and negatives:
        negative_runs = run_models(models, negatives, topology, detect=False, read=read)
    predictions = [*(run.full for run in runs.values() if wanted.detector), *pictured]
    return Evaluated(
        wanted=wanted,
        topology=topology,
        read=read,
        labels=labels,
        negatives=negatives,
        models=models,
        runs=runs,
        negative_runs=negative_runs,
        predictions=predictions,
        full={found.name: score(labels, found.of, topology) for found in predictions},
        in_roi={name: score_matched(labels, run.in_roi, topology) for name, run in runs.items()},
        trackers=trackers,
        recorded={found.name: found.clips for found in given if found.clips},
    )


def open_face_mesh(
    model: str, runtime: str, mediapipe_crop: bool, detector: bool = True, threads: int = 1
) -> FaceFinder:
    """A network in its pipeline, or in one that cuts crops and finds faces as MediaPipe does.

    Without a detector it sees only what it is shown, and needs no detector's weights.
    """
    if not detector:
        return FacePipeline(open_runner(model, runtime, threads), lambda _: [])
    kind: Any = "short" if mediapipe_crop else "auto"
    return FaceMesh(model, runtime, detector=kind, mediapipe_crop=mediapipe_crop, threads=threads)


def open_face_tracker(model: str, runtime: str, smoothing: str, threads: int = 1) -> FaceFollower:
    """A network that follows one face, the largest, as MediaPipe does by default."""
    return FaceTracker(model, runtime, smoothing=smoothing, threads=threads)


def _read(
    data: LabelledData, topology: Topology, limit: int | None
) -> tuple[list[LabelledFace], Pictures]:
    labels, pictures = read_data(data)
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
    return (limit_labels(labels, limit) if limit else labels), pictures


def _read_predictions(wanted: Evaluation, topology: Topology) -> list[Predictions]:
    """What other programs found."""
    found = []
    for argument in wanted.predictions:
        given = parse_predictions(argument, topology.points, wanted.videos)
        expected = wanted.videos if given.clips or not wanted.data.paths else ()
        if missing := [clip for clip in expected if clip not in given.clips]:
            raise UserError(f"{given.name}: no record of {missing[0]}")
        found.append(given)
    return found


def _model_files(wanted: Evaluation) -> dict[str, str]:
    """The networks to run, by the name that tables show."""
    files: dict[str, str] = {}
    for argument in wanted.model_names:
        name, separator, file = argument.partition("=")
        if not (separator and name and file):
            file = argument
            name = Path(file).stem if file.endswith(".safetensors") else file
        _check_names([*files, name])
        files[name] = file
    return files


def _open(
    wanted: Evaluation,
    files: Mapping[str, str],
    runtimes: Mapping[str, str],
    open_model: OpenModel,
) -> dict[str, FaceFinder]:
    models: dict[str, FaceFinder] = {}
    for name, file in files.items():
        models[name] = open_model(file, runtimes[name], False)
        if wanted.mediapipe_crop:
            models[name + _MEDIAPIPE] = open_model(file, runtimes[name], True)
    return models


def _check_schemes(
    models: Mapping[str, FaceFinder],
    trackers: Mapping[str, Mapping[str, FaceFollower]],
    topology: Topology,
) -> None:
    followers = [(name, each) for name, several in trackers.items() for each in several.values()]
    pipelines = [(name, each.pipeline) for name, each in followers if isinstance(each, Tracker)]
    pipelines += [(name, each) for name, each in models.items() if isinstance(each, FacePipeline)]
    for name, pipeline in pipelines:
        scheme = pipeline.runner.topology.name
        if scheme != topology.name:
            raise UserError(
                f"{name} predicts the scheme {scheme}; only networks of {topology.name} can be "
                "evaluated"
            )


def _check_names(names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise UserError(f"two sets of predictions are called {name!r}; give NAME=FILE")


def try_folder(folder: Path) -> None:
    """Fails before the long work where its result could not be written."""
    with as_user_error(folder):
        make_folder(folder)
        tempfile.TemporaryFile(dir=folder).close()


def _several(given: PathLike | Sequence[PathLike]) -> Sequence[PathLike]:
    return [given] if isinstance(given, str | os.PathLike) else given
