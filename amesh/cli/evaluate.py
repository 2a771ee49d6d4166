"""`amesh evaluate` and `amesh benchmark`."""

import argparse
from pathlib import Path

from amesh.cli.options import (
    MODEL,
    RUNTIMES,
    Verbs,
    add_sets,
    chosen_sets,
    positive,
    verb,
)


def add_evaluate(verbs: Verbs) -> None:
    """Adds `evaluate`."""
    parser = verb(
        verbs,
        "evaluate",
        "score networks on labelled pictures: tables as Markdown and JSON\n\n"
        "In regions of interest taken from the labels (the paper's Table 2 among it) and by the\n"
        "full pipeline: errors by source, pose, eyes, mouth and group, with 95 % bootstrap\n"
        "intervals, failure rates, jitter, and error maps drawn on the face. Several networks\n"
        "stand side by side, and so do records that `amesh run --output` or another program\n"
        "wrote; changes against a reference are paired, on the same faces.",
    )
    add_sets(parser)
    parser.add_argument(
        "--model",
        nargs="+",
        metavar="[NAME=]MODEL",
        help=f"installed weights, or files; {MODEL} where no predictions are given",
    )
    parser.add_argument(
        "--predictions",
        nargs="+",
        metavar="[NAME=]FILE.jsonl|DIR",
        help="records of another program, in the format of `amesh run --output`; or a folder of "
        "labels that `amesh label --cut 0 --max-disagreement 1 --min-face 1` wrote, which keeps "
        "the hard faces too",
    )
    parser.add_argument(
        "--reference", metavar="NAME", help="what the others are compared with; else the first"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("evaluation"), metavar="DIR", help="the report's folder"
    )
    parser.add_argument("--runtime", default="auto", choices=RUNTIMES, help="what runs it")
    parser.add_argument(
        "--no-detector",
        action="store_true",
        help="leave the full pipeline out: only regions of interest from the labels",
    )
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
    parser.add_argument(
        "--video",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="also measure the jitter on these clips; without --data, nothing else",
    )
    parser.add_argument(
        "--still",
        type=positive,
        default=0,
        metavar="N",
        help="also measure the jitter on N labelled faces that do not move",
    )
    parser.add_argument(
        "--worst",
        type=positive,
        default=0,
        metavar="N",
        help="also write a sheet of each network's N worst faces: it shows the pictures",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="N labels of each source")
    parser.set_defaults(call=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from amesh.evaluation.options import Evaluation
    from amesh.evaluation.run import evaluate

    return evaluate(
        Evaluation(
            data=chosen_sets(options),
            models=tuple(options.model or ()),
            predictions=tuple(options.predictions or ()),
            output=options.output,
            runtime=options.runtime,
            detector=not options.no_detector,
            mediapipe_crop=options.mediapipe_crop,
            reference=options.reference,
            robustness=options.robustness,
            videos=tuple(options.video or ()),
            still=options.still,
            worst=options.worst,
            limit=options.limit,
        )
    )
