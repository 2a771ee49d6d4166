"""`amesh correct`."""

import argparse
import sys
from pathlib import Path

from amesh.cli.options import DONE, RUNTIMES, SOME_FAILED, Verbs, add_sets, chosen_sets, count, verb


def add_correct(verbs: Verbs) -> None:
    """Adds `correct`."""
    parser = verb(
        verbs,
        "correct",
        "measure a network's habits on faces that people labelled\n\n"
        "Writes how far people put each landmark from where the network puts it, on the average\n"
        "over faces, mirrored ones too. `amesh label --correction` takes it out of the labels\n"
        "that the network makes. A few dozen people do; score on others. Faces turned away by\n"
        "more than about 60 degrees are left out.",
    )
    add_sets(parser, required=True)
    parser.add_argument(
        "--measures",
        nargs="+",
        default=[],
        metavar="NAME",
        help="labelled parts to go by, as `amesh evaluate` calls them; where not given, all but "
        "the jaw's, each point once",
    )
    parser.add_argument(
        "--model", default="released-192", help="the network: installed weights, or a file"
    )
    parser.add_argument("--runtime", default="auto", choices=RUNTIMES, help="what runs it")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("correction.json"),
        metavar="FILE.json",
        help="the correction goes here",
    )
    parser.set_defaults(call=_correct)


def _correct(options: argparse.Namespace) -> int:
    import numpy as np

    from amesh import topology
    from amesh.evaluation.correction import fit_correction
    from amesh.evaluation.labels.read import read_data
    from amesh.evaluation.models import run_models
    from amesh.face_mesh import open_runner
    from amesh.pipeline.face_pipeline import FacePipeline
    from amesh.weights import store

    scheme = topology.load()
    labels, read = read_data(chosen_sets(options))
    labels = [label for label in labels if label.face]
    runner = open_runner(options.model, options.runtime)
    network = FacePipeline(runner, lambda _: [])  # it looks where the labels are
    run = run_models({runner.name: network}, labels, scheme, detect=False, read=read)[runner.name]
    found = fit_correction(labels, run.in_roi, scheme, options.measures)
    found.about["network"] = runner.name
    found.about["sha256"] = store.file_hash(options.model)
    found.save(options.output)
    largest = 100 * float(np.linalg.norm(found.shifts, axis=1).max())
    print(
        f"{options.output}: from {count(found.about['faces'], 'face')}; the largest shift is "
        f"{largest:.2f} % of the distance of the eyes",
        file=sys.stderr,
    )
    if found.about["turned"]:
        print(f"left out, turned too far: {count(found.about['turned'], 'face')}", file=sys.stderr)
    for reason in run.full.failed.values():
        print(f"amesh: {reason}", file=sys.stderr)
    return SOME_FAILED if run.full.failed else DONE
