"""`amesh correct`."""

import argparse
import sys
from pathlib import Path

from amesh.cli.options import add_runtime, add_sets, chosen_sets
from amesh.cli.parsing import DONE, SOME_FAILED, count
from amesh.deploy import formats

DETAILS = """
Writes how far, on average over faces and their mirror images, people put each landmark from where
the network puts it. `amesh label --correction` subtracts this from the network's labels. A few
dozen faces are enough; evaluate on others. Faces turned away by more than about 60 degrees are
left out.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_sets(parser, required=True)
    parser.add_argument(
        "--measures",
        nargs="+",
        default=[],
        metavar="NAME",
        help="parts of the annotations to use, by their names in `amesh evaluate` (default: all "
        "but the jaw's, each point once)",
    )
    parser.add_argument(
        "--model", default="released-192", help="the network: installed weights by name, or a file"
    )
    add_runtime(parser)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("correction.json"),
        metavar="FILE.json",
        help="file for the correction",
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

    formats.require_runtime(options.runtime)
    scheme = topology.load()
    labels, read = read_data(chosen_sets(options))
    labels = [label for label in labels if label.face]
    runner = open_runner(options.model, options.runtime, options.threads)
    network = FacePipeline(runner, lambda _: [])  # the labels say where the faces are
    run = run_models({runner.name: network}, labels, scheme, detect=False, read=read)[runner.name]
    found = fit_correction(labels, run.in_roi, scheme, options.measures)
    found.about["network"] = runner.name
    found.about["sha256"] = store.file_hash(options.model)
    found.save(options.output)
    largest = 100 * float(np.linalg.norm(found.shifts, axis=1).max())
    print(
        f"{options.output}: from {count(found.about['faces'], 'face')}; the largest shift is "
        f"{largest:.2f} % of the distance between the eyes",
        file=sys.stderr,
    )
    if found.about["turned"]:
        print(f"left out, turned too far: {count(found.about['turned'], 'face')}", file=sys.stderr)
    for reason in run.full.failed.values():
        print(f"amesh: {reason}", file=sys.stderr)
    return SOME_FAILED if run.full.failed else DONE
