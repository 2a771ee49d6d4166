"""`amesh correct`."""

import argparse
import sys
from pathlib import Path

from amesh.cli.options import DONE, RUNTIMES, Verbs, count, verb


def add_correct(verbs: Verbs) -> None:
    """Adds `correct`."""
    parser = verb(
        verbs,
        "correct",
        "measure a network's habits on faces that people labelled\n\n"
        "Writes how far people put each landmark from where the network puts it, on the average\n"
        "over faces, mirrored ones too. `amesh label --correction` takes it out of the labels\n"
        "that the network makes. A few dozen people do; score on others.",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        required=True,
        metavar="SET",
        help="faces labelled by people, in any format that `amesh evaluate` takes",
    )
    parser.add_argument(
        "--coordinates",
        choices=["corner", "index", "one"],
        help="what labels count from, where the format is silent",
    )
    parser.add_argument(
        "--only", type=Path, metavar="FILE", help="these faces: a text file, a key on each line"
    )
    parser.add_argument(
        "--without", type=Path, metavar="FILE", help="not these faces: a file like --only's"
    )
    parser.add_argument(
        "--measures",
        nargs="+",
        default=[],
        metavar="NAME",
        help="labelled parts to go by, as `amesh evaluate` calls them; all where not given",
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
    from amesh.evaluation.labels import LabelledData, read_data
    from amesh.evaluation.models import run_models
    from amesh.evaluation.run import open_face_mesh

    scheme = topology.load()
    labels, read = read_data(
        LabelledData(
            tuple(options.data),
            coordinates=options.coordinates,
            only=options.only,
            without=options.without,
        )
    )
    network = open_face_mesh(options.model, options.runtime, False, detector=False)
    runs = run_models({options.model: network}, labels, scheme, detect=False, read=read)
    found = fit_correction(labels, runs[options.model].in_roi, scheme, options.measures)
    found.about["network"] = options.model
    found.save(options.output)
    largest = 100 * float(np.linalg.norm(found.shifts, axis=1).max())
    print(
        f"{options.output}: from {count(found.about['faces'], 'face')}; the largest shift is "
        f"{largest:.2f} % of the distance of the eyes",
        file=sys.stderr,
    )
    return DONE
