"""`amesh evaluate`."""

import argparse
import sys

from amesh.cli.fields import add_fields, from_options
from amesh.cli.options import add_sets, chosen_sets
from amesh.cli.parsing import DONE, SOME_FAILED
from amesh.deploy import formats
from amesh.evaluation.options import Evaluation

DETAILS = """
Evaluates networks by their full pipeline and on crops taken from the labels, which includes the
paper's Table 2. Reports errors by source, pose, eyes, mouth and group with 95 % bootstrap
intervals, failure rates, jitter, and error maps drawn on a face, as Markdown and JSON. On clips,
which need no labels, follows faces and reports jitter together with lag. Several networks are
compared side by side, and so are predictions made elsewhere; differences from the reference are
paired, on the same faces.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_sets(parser)
    add_fields(
        parser,
        Evaluation,
        skip=["data"],
        models={"flag": "--model", "metavar": "[NAME=]MODEL"},
        predictions={"metavar": "[NAME=]PATH"},
        output={"metavar": "DIR"},
        runtime={"choices": formats.runtime_names()},
        detector={"help": "evaluate only on crops from the labels, without the face detector"},
        reference={"metavar": "NAME"},
        videos={"flag": "--video", "metavar": "CLIP"},
    )
    parser.set_defaults(call=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from amesh.evaluation.report import markdown
    from amesh.evaluation.run import run

    report = run(from_options(Evaluation, options, data=chosen_sets(options)))
    print(markdown(report))
    for reason in report.failed.values():
        print(reason, file=sys.stderr)
    return SOME_FAILED if report.failed else DONE
