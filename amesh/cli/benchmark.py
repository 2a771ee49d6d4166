"""`amesh benchmark`."""

import argparse
from pathlib import Path

from amesh.cli.options import needs_training
from amesh.cli.parsing import positive
from amesh.deploy import formats
from amesh.errors import UserError

DETAILS = """
Times the networks of the paper's Table 1 on this machine: mesh, lips, eye and iris, their cascade,
and the Attention Mesh, for each runtime, precision, number of threads and batch size. They take
turns, and medians are reported, as Markdown and JSON, with a chart if there are several batch
sizes. --training instead times configurations of `amesh fit`: the training step alone, loading the
data alone, and both together.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--model", default="paper-256", help="a named member of the family")
    parser.add_argument(
        "--runtime",
        nargs="+",
        default=["torch", "onnx"],
        choices=formats.names(formats.timed()),
        help="runtimes to time",
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        default=["fp32"],
        choices=formats.precisions(formats.timed()),
        help="precisions of the exported files",
    )
    parser.add_argument(
        "--threads", nargs="+", type=positive, default=[1], metavar="N", help="numbers of threads"
    )
    parser.add_argument(
        "--batch", nargs="+", type=positive, default=[1], metavar="N", help="batch sizes [faces]"
    )
    parser.add_argument(
        "--rounds", type=positive, metavar="N", help="calls of each (default: 50; 7 for --training)"
    )
    parser.add_argument(
        "--google",
        type=Path,
        metavar="WHEEL",
        help="also time the cascade of networks in this wheel of mediapipe",
    )
    parser.add_argument(
        "--training",
        nargs="+",
        metavar="CONFIG",
        help="time the training of these configurations; + adds a fragment to one: "
        "paper+model/tiny_128",
    )
    parser.add_argument(
        "--shards", type=Path, metavar="DIR", help="shards of faces to train on, for --training"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("benchmark"),
        metavar="DIR",
        help="folder for the tables",
    )
    parser.set_defaults(call=_benchmark)


def _benchmark(options: argparse.Namespace) -> int:
    if options.training:
        if options.shards is None:
            raise UserError("--training needs faces to train on: give --shards")
        time_training = needs_training("amesh.training.speed_run", "benchmark")
        code: int = time_training(
            options.training, options.shards, options.output, options.rounds or 7
        )
        return code
    from amesh.benchmark.table_1 import benchmark

    return benchmark(
        options.model,
        options.runtime,
        options.precision,
        options.threads,
        options.batch,
        options.rounds or 50,
        options.google,
        options.output,
    )
