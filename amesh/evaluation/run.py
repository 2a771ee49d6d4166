"""Scores networks, and predictions made elsewhere, on labelled pictures."""

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
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.predictions import parse_predictions
from amesh.evaluation.labels.read import Pictures, limit_labels, read_data
from amesh.evaluation.models import FaceFinder, run_models
from amesh.evaluation.options import Evaluation, LabelledData
from amesh.evaluation.report import Report, make_report, to_json, write
from amesh.evaluation.scores import score, score_matched
from amesh.face_mesh import FaceMesh, open_runner
from amesh.files import as_user_error
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.pipeline.video_file import pyav
from amesh.topology.scheme import Topology
from amesh.topology.scheme import load as load_topology

PathLike = str | os.PathLike[str]

_MEDIAPIPE = ", MediaPipe's crop"

# Opens a network: its name or file, the runtime, and whether to cut crops as MediaPipe does.
OpenModel = Callable[[str, str, bool], FaceFinder]


def evaluate(
    data: PathLike | Sequence[PathLike],
    models: PathLike | Sequence[PathLike] = (),
    predictions: str | Sequence[str] = (),
    output: PathLike = "evaluation",
    *,
    coordinates: Coordinates | None = None,
    only: PathLike | None = None,
    without: PathLike | None = None,
    outside: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Scores networks, or the predictions of another program, on annotated pictures.

    Does what `amesh evaluate` does, and writes the same report.

    Args:
        data: Annotated sets: a JSONL manifest, a folder of shards, or another format that training
            reads.
        models: Installed weights by name, or weights files; `NAME=FILE` gives one a name. The
            default network if neither models nor predictions are given.
        predictions: `NAME=FILE.jsonl`, as `amesh run --output` writes it.
        output: Folder for `evaluation.md` and `evaluation.json`.
        coordinates: What annotations count from where their set does not say: `corner` or
            `index`.
        only: A list of keys: no other face is scored.
        without: A list of keys: these faces are left out.
        outside: Read pictures that a manifest names outside its own folder, too.
        **options: Any other field of `amesh.evaluation.options.Evaluation`, such as
            `robustness=True`, `limit=100` or `reference="released-192"`.

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
        **options,
    )
    return to_json(run(wanted))


def run(wanted: Evaluation, open_model: OpenModel | None = None) -> Report:
    """Scores networks on labelled pictures and writes the report as Markdown and JSON.

    Networks are scored by the full pipeline and in the regions of interest that the labels give,
    side by side, with 95 % bootstrap intervals.

    Args:
        wanted: The options.
        open_model: Opens a network; by default an `amesh.FaceMesh`.

    Returns:
        What was written.

    Raises:
        UserError: A data set, a prediction file or an option is wrong.
    """
    evaluated = _evaluated(wanted, open_model or partial(open_face_mesh, detector=wanted.detector))
    report = make_report(evaluated)
    files = write(report, wanted.output)
    print("written: " + ", ".join(str(path) for path in files), file=sys.stderr)
    return report


def _evaluated(wanted: Evaluation, open_model: OpenModel) -> Evaluated:
    """Reads labels and predictions, checks what can be checked, and runs the networks."""
    formats.require_runtime(wanted.runtime)
    if wanted.videos:
        pyav()  # before the long work
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
    _check_schemes(models, topology)
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
    kind: Any = "short" if mediapipe_crop else "auto"
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


def _check_schemes(models: Mapping[str, FaceFinder], topology: Topology) -> None:
    for name, model in models.items():
        if isinstance(model, FacePipeline) and model.runner.topology.name != topology.name:
            raise UserError(
                f"{name} predicts the scheme {model.runner.topology.name}; only networks of "
                f"{topology.name} can be evaluated"
            )


def _check_names(names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise UserError(f"two sets of predictions are called {name!r}; give NAME=FILE")


def try_folder(folder: Path) -> None:
    """Fails before the long work where its result could not be written."""
    with as_user_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def _several(given: PathLike | Sequence[PathLike]) -> Sequence[PathLike]:
    return [given] if isinstance(given, str | os.PathLike) else given
