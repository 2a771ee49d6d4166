"""`amesh evaluate` and `amesh benchmark`."""

import argparse
from pathlib import Path

from amesh.cli.options import RUNTIMES, Verbs, positive, verb


def add_evaluate(verbs: Verbs) -> None:
    """Adds `evaluate`."""
    parser = verb(
        verbs,
        "evaluate",
        "score networks on labelled pictures: tables as Markdown and JSON\n\n"
        "By the full pipeline, and in regions of interest taken from the labels; errors by source\n"
        "with 95 % bootstrap intervals. Several networks stand side by side, and so do records\n"
        "that `amesh run --output` or another program wrote.",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        required=True,
        metavar="MANIFEST",
        help="label manifests (JSONL)",
    )
    parser.add_argument(
        "--model", nargs="+", metavar="MODEL", help="installed weights, or files; released-192"
    )
    parser.add_argument(
        "--predictions",
        nargs="+",
        metavar="NAME=FILE.jsonl",
        help="records of another program, in the format of `amesh run --output`",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("evaluation"), metavar="DIR", help="tables go here"
    )
    parser.add_argument(
        "--coordinates",
        choices=["corner", "index"],
        help="what labels without that key use; index: the top-left pixel's centre is (0, 0)",
    )
    parser.add_argument("--runtime", default="auto", choices=RUNTIMES, help="what runs it")
    parser.add_argument(
        "--mediapipe-crop",
        action="store_true",
        help="also run each network on crops cut as MediaPipe cuts them, half a pixel off",
    )
    parser.add_argument(
        "--robustness",
        action="store_true",
        help="also measure the error against shift, scale and roll of the crop",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="N labels of each source")
    parser.set_defaults(call=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from amesh.evaluation.run import evaluate

    return evaluate(
        options.data,
        options.model,
        options.predictions,
        options.output,
        options.coordinates,
        options.runtime,
        options.mediapipe_crop,
        options.robustness,
        options.limit,
    )


def add_benchmark(verbs: Verbs) -> None:
    """Adds `benchmark`."""
    parser = verb(
        verbs,
        "benchmark",
        "time the networks of the paper's Table 1 on this machine\n\n"
        "Mesh, lips, eye and iris, the cascade of them, and the attention mesh: per runtime,\n"
        "precision, threads and batch, in turn, as medians. Writes Markdown, JSON, and a chart\n"
        "where there are several batches.",
    )
    parser.add_argument("--model", default="paper-256", help="a named member of the family")
    parser.add_argument(
        "--runtime", nargs="+", default=["torch", "onnx"], choices=["torch", "onnx", "litert"]
    )
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=["fp32", "fp16"])
    parser.add_argument("--threads", nargs="+", type=positive, default=[1], metavar="N")
    parser.add_argument("--batch", nargs="+", type=positive, default=[1], metavar="N")
    parser.add_argument("--rounds", type=positive, default=50, metavar="N", help="calls of each")
    parser.add_argument(
        "--google", type=Path, metavar="WHEEL", help="also time the cascade in mediapipe's wheel"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("benchmark"), metavar="DIR", help="tables go here"
    )
    parser.set_defaults(call=_benchmark)


def _benchmark(options: argparse.Namespace) -> int:
    from amesh.evaluation.benchmark import benchmark

    return benchmark(
        options.model,
        options.runtime,
        options.precision,
        options.threads,
        options.batch,
        options.rounds,
        options.google,
        options.output,
    )
