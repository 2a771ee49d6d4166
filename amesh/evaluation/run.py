"""`amesh evaluate`: networks, and predictions made elsewhere, against labelled pictures."""

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import amesh
from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation import scoring
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.predictions import Predictions, parse_predictions
from amesh.evaluation.labels.read import Pictures, limit_labels, read_data
from amesh.evaluation.markdown import plain_name
from amesh.evaluation.models import FaceFinder, run_models
from amesh.evaluation.options import Evaluation, LabelledData
from amesh.evaluation.report.worst_faces import worst_sheet
from amesh.evaluation.report.write import Report, markdown, write
from amesh.evaluation.tables.accuracy import Comparison
from amesh.evaluation.tables.face_flag import flag_rows
from amesh.evaluation.tables.jitter import video_jitter
from amesh.evaluation.tables.jitter_still import still_jitter
from amesh.evaluation.tables.scores import Scores
from amesh.face_mesh import FaceMesh, RuntimeName, open_runner
from amesh.files import as_user_error
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.topology.scheme import Topology
from amesh.topology.scheme import load as load_topology

_MEDIAPIPE = ", MediaPipe's crop"

# Opens a network: its name or file, the runtime, and whether to cut crops as MediaPipe does.
OpenModel = Callable[[str, str, bool], FaceFinder]


def evaluate(wanted: Evaluation, open_model: OpenModel | None = None) -> int:
    """Scores networks on labelled pictures and writes the report as Markdown and JSON.

    By the full pipeline and in regions of interest taken from the labels, with 95 % bootstrap
    intervals, several networks side by side.

    Args:
        wanted: What to do.
        open_model: Opens a network; `amesh.FaceMesh` by default.

    Returns:
        0, or 1 where some pictures could not be read.

    Raises:
        UserError: A set, a prediction file or an option is wrong.
    """
    topology = load_topology()
    regions, read = _read(wanted.data, topology, wanted.limit)
    labels = [label for label in regions if label.face]
    if regions and not labels:
        raise UserError("no face among the labels: regions without one say nothing of the errors")
    given = [parse_predictions(argument, topology.points) for argument in wanted.predictions]
    if not wanted.model_names and (wanted.robustness or wanted.videos or wanted.still):
        raise UserError("robustness and jitter need a network to run: give --model")
    models = _open(wanted, open_model or partial(open_face_mesh, detector=wanted.detector))
    names = [*models, *(prediction.name for prediction in given)]
    _check_names(names)
    if wanted.reference is not None and wanted.reference not in names:
        raise UserError(
            f"no set {wanted.reference!r} to compare with; there is: {', '.join(names)}"
        )
    for prediction in given:  # a picture that is missing shows before the long work, not after
        for label in labels:
            prediction.of(label)
    try_folder(wanted.output)
    report = Report(_about(wanted))
    pictures = _measure(report, wanted, models, given, labels, read, topology) if labels else {}
    if models and len(labels) < len(regions):
        empty = [label for label in regions if not label.face]
        runs = run_models(models, empty, topology, detect=False, read=read)
        report.flags += flag_rows(empty, runs, _how(wanted, list(models)))
        report.failed |= next(iter(runs.values())).full.failed
    if models and (wanted.videos or wanted.still):
        how = _how(wanted, list(models))
        report.jitter += video_jitter(models, wanted.videos, topology, how)
        report.jitter += still_jitter(models, labels, topology, wanted.still, how, read)
    files = write(report, wanted.output, pictures)
    print(markdown(report))
    print("written: " + ", ".join(str(path) for path in files), file=sys.stderr)
    for reason in report.failed.values():
        print(reason, file=sys.stderr)
    return 1 if report.failed else 0


def _measure(
    report: Report,
    wanted: Evaluation,
    models: Mapping[str, FaceFinder],
    given: Sequence[Predictions],
    labels: Sequence[LabelledFace],
    read: Pictures,
    topology: Topology,
) -> dict[str, bytes]:
    """Fills in what labels tell; returns the pictures that go beside the report."""
    detect = wanted.detector
    runs = run_models(models, labels, topology, wanted.robustness, detect, read) if models else {}
    everything = [*(run.full for run in runs.values() if detect), *given]
    pictures: dict[str, bytes] = {}
    scores: dict[str, Scores] = {}
    if everything:
        how = _how(wanted, [found.name for found in everything])
        scores = scoring.score_full(report, labels, everything, topology, how)
    if runs:
        how = _how(wanted, list(runs))
        scores = scoring.score_in_roi(report, labels, runs, topology, how)
        report.flags += flag_rows(labels, runs, how)
        pictures = scoring.draw_error_maps(report, labels, runs, topology, how)
        for name, run in runs.items() if wanted.worst else ():
            sheet = worst_sheet(labels, scores[name], run.in_roi, wanted.worst, topology, read)
            if sheet is not None:
                pictures[file := plain_name("worst", name)] = sheet
                report.pictures[file] = f"{name}: worst faces, labels in green"
    # With networks of our own, in the labels' crops: the detector's misses would hide the network.
    scoring.score_bins(report, labels, scores, topology, _how(wanted, list(scores)))
    return pictures


def open_face_mesh(
    model: str, runtime: str, mediapipe_crop: bool, detector: bool = True
) -> FaceFinder:
    """A network in its pipeline, or in one that cuts crops and finds faces as MediaPipe does.

    Without a detector it sees only what it is shown, and needs no detector's weights.
    """
    known = cast(RuntimeName, runtime)
    if not detector:
        return FacePipeline(open_runner(model, known), lambda _: [])
    kind: Any = "short" if mediapipe_crop else "both"
    return FaceMesh(model, known, detector=kind, mediapipe_crop=mediapipe_crop)


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


def _open(wanted: Evaluation, open_model: OpenModel) -> dict[str, FaceFinder]:
    models: dict[str, FaceFinder] = {}
    for argument in wanted.model_names:
        name, separator, file = argument.partition("=")
        if not (separator and name and file):
            file = argument
            name = Path(file).stem if file.endswith(".safetensors") else file
        _check_names([*models, name])
        models[name] = open_model(file, wanted.runtime, False)
        if wanted.mediapipe_crop:
            models[name + _MEDIAPIPE] = open_model(file, wanted.runtime, True)
    return models


def _check_names(names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise UserError(f"two sets of predictions are called {name!r}; give NAME=FILE")


def try_folder(folder: Path) -> None:
    """Fails before the long work where its result could not be written."""
    with as_user_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def _about(wanted: Evaluation) -> dict[str, Any]:
    paths = [*wanted.data.paths, *wanted.videos]
    lists = {"only the faces in": wanted.data.only, "without those in": wanted.data.without}
    return {
        "amesh": amesh.__version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "data": [_short(path) for path in paths],
        **{name: _short(path) for name, path in lists.items() if path is not None},
        "coordinates": wanted.data.coordinates or "as each label says",
        "limit": wanted.limit or "none",
        "bootstrap": f"{wanted.resamples} resamples, seed {wanted.seed}",
    }


def _short(path: Path) -> str:
    return f"{path.resolve().parent.name}/{path.name}"


def _how(wanted: Evaluation, names: Sequence[str]) -> Comparison:
    """The first is the reference where the wanted one has no part in this."""
    reference = wanted.reference if wanted.reference in names else names[0]
    return Comparison(reference or names[0], wanted.resamples, wanted.seed)
