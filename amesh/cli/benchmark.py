"""`amesh benchmark`."""

import argparse
from pathlib import Path

from amesh.benchmark.options import Benchmark
from amesh.cli.fields import add_fields, from_options
from amesh.cli.options import needs_training
from amesh.cli.parsing import positive
from amesh.deploy import formats
from amesh.errors import UserError

DETAILS = """
Times the networks of the paper's Table 1 on this machine: mesh, lips, eye and iris, their cascade,
and the Attention Mesh, for each runtime, precision, number of threads and batch size. Networks of
one runtime and number of threads take turns, and medians are reported, as Markdown and JSON, with a
chart if there are several batch sizes. --training instead times configurations of `amesh fit`: the
training step alone, loading the data alone, and both together.
"""

_TRAINING_ROUNDS = 7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    timed = formats.timed()
    add_fields(
        parser,
        Benchmark,
        model={"metavar": "NAME"},
        runtimes={"flag": "--runtime", "choices": formats.names(timed)},
        precisions={"flag": "--precision", "choices": formats.precisions(timed)},
        batches={"flag": "--batch"},
        rounds={
            "default": None,
            "type": positive,
            "help": f"calls of each network (default: {Benchmark.rounds}; "
            f"{_TRAINING_ROUNDS} for --training)",
        },
        google={"metavar": "WHEEL"},
        output={"metavar": "DIR"},
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
    parser.set_defaults(call=_benchmark)


def _benchmark(options: argparse.Namespace) -> int:
    if options.training:
        if options.shards is None:
            raise UserError("--training needs faces to train on: give --shards")
        time_training = needs_training("amesh.training.speed_run", "benchmark")
        rounds = options.rounds or _TRAINING_ROUNDS
        return int(time_training(options.training, options.shards, options.output, rounds))
    from amesh.benchmark.table_1 import benchmark

    rounds = Benchmark.rounds if options.rounds is None else options.rounds
    return benchmark(from_options(Benchmark, options, rounds=rounds))
