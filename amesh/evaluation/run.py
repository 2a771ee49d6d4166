"""`amesh evaluate`: scores networks, and predictions made elsewhere, on labelled pictures."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from amesh.data.sources.labelled_face import LabelledFace
from amesh.deploy import formats
from amesh.errors import UserError
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.predictions import parse_predictions
from amesh.evaluation.labels.read import Pictures, limit_labels, read_data
from amesh.evaluation.models import FaceFinder, run_models
from amesh.evaluation.options import Evaluation, LabelledData
from amesh.evaluation.report import make_report, markdown, write
from amesh.evaluation.scores import score, score_matched
from amesh.face_mesh import FaceMesh, open_runner
from amesh.files import as_user_error
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.topology.scheme import Topology
from amesh.topology.scheme import load as load_topology

_MEDIAPIPE = ", MediaPipe's crop"

# Opens a network: its name or file, the runtime, and whether to cut crops as MediaPipe does.
OpenModel = Callable[[str, str, bool], FaceFinder]


def evaluate(wanted: Evaluation, open_model: OpenModel | None = None) -> int:
    """Scores networks on labelled pictures and writes the report as Markdown and JSON.

    Networks are scored by the full pipeline and in the regions of interest that the labels give,
    side by side, with 95 % bootstrap intervals.

    Args:
        wanted: The options.
        open_model: Opens a network; by default an `amesh.FaceMesh`.

    Returns:
        0, or 1 if some pictures could not be read.

    Raises:
        UserError: A data set, a prediction file or an option is wrong.
    """
    evaluated = _run(wanted, open_model or partial(open_face_mesh, detector=wanted.detector))
    report = make_report(evaluated)
    files = write(report, wanted.output)
    print(markdown(report))
    print("written: " + ", ".join(str(path) for path in files), file=sys.stderr)
    failed = evaluated.failed
    for reason in failed.values():
        print(reason, file=sys.stderr)
    return 1 if failed else 0


def _run(wanted: Evaluation, open_model: OpenModel) -> Evaluated:
    """Reads labels and predictions, checks what can be checked, and runs the networks."""
    formats.require_runtime(wanted.runtime)
    topology = load_topology()
    regions, read = _read(wanted.data, topology, wanted.limit)
    labels = [label for label in regions if label.face]
    negatives = [label for label in regions if not label.face]
    if regions and not labels:
        raise UserError("no face among the labels: regions without one say nothing of the errors")
    given = [parse_predictions(argument, topology.points) for argument in wanted.predictions]
    if not wanted.model_names and (wanted.robustness or wanted.videos or wanted.still):
        raise UserError("robustness and jitter need a network to run: give --model")
    models = _open(wanted, open_model)
    names = [*models, *(prediction.name for prediction in given)]
    _check_names(names)
    if wanted.reference is not None and wanted.reference not in names:
        raise UserError(
            f"no set {wanted.reference!r} to compare with; there is: {', '.join(names)}"
        )
    for prediction in given:  # fails on a missing picture before the long work, not after it
        for label in labels:
            prediction.of(label)
    try_folder(wanted.output)
    runs, negative_runs = {}, {}
    if models and labels:
        runs = run_models(models, labels, topology, wanted.robustness, wanted.detector, read)
    if models and negatives:
        negative_runs = run_models(models, negatives, topology, detect=False, read=read)
    predictions = [*(run.full for run in runs.values() if wanted.detector), *given]
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
    )


def open_face_mesh(
    model: str, runtime: str, mediapipe_crop: bool, detector: bool = True
) -> FaceFinder:
    """A network in its pipeline, or in one that cuts crops and finds faces as MediaPipe does.

    Without a detector it sees only what it is shown, and needs no detector's weights.
    """
    if not detector:
        return FacePipeline(open_runner(model, runtime), lambda _: [])
    kind: Any = "short" if mediapipe_crop else "both"
    return FaceMesh(model, runtime, detector=kind, mediapipe_crop=mediapipe_crop)


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
