"""`amesh benchmark`."""

import argparse
from pathlib import Path

from amesh.cli.options import (
    Verbs,
    needs_training,
    positive,
    verb,
)
from amesh.errors import UserError


def add_benchmark(verbs: Verbs) -> None:
    """Adds `benchmark`."""
    parser = verb(
        verbs,
        "benchmark",
        "time the networks of the paper's Table 1 on this machine, or training\n\n"
        "Mesh, lips, eye and iris, the cascade of them, and the attention mesh: per runtime,\n"
        "precision, threads and batch, in turn, as medians. Writes Markdown, JSON, and a chart\n"
        "where there are several batches. With --training instead: configurations of `amesh fit`,\n"
        "the step alone, the data alone, and both.",
    )
    parser.add_argument("--model", default="paper-256", help="a named member of the family")
    parser.add_argument(
        "--runtime", nargs="+", default=["torch", "onnx"], choices=["torch", "onnx", "litert"]
    )
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=["fp32", "fp16"])
    parser.add_argument("--threads", nargs="+", type=positive, default=[1], metavar="N")
    parser.add_argument("--batch", nargs="+", type=positive, default=[1], metavar="N")
    parser.add_argument(
        "--rounds", type=positive, metavar="N", help="calls of each; 50, with --training 7"
    )
    parser.add_argument(
        "--google", type=Path, metavar="WHEEL", help="also time the cascade in mediapipe's wheel"
    )
    parser.add_argument(
        "--training",
        nargs="+",
        metavar="CONFIG",
        help="time training; fragments join with +: paper+model/tiny_128",
    )
    parser.add_argument("--shards", type=Path, metavar="DIR", help="faces for --training")
    parser.add_argument(
        "--output", type=Path, default=Path("benchmark"), metavar="DIR", help="tables go here"
    )
    parser.set_defaults(call=_benchmark)


def _benchmark(options: argparse.Namespace) -> int:
    if options.training:
        if options.shards is None:
            raise UserError("benchmark: give faces to train on with --shards")
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
