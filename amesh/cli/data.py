"""`amesh data`."""

import argparse
import sys
from pathlib import Path

from amesh.cli.options import DONE, SETS, SOME_FAILED, Verbs, add_formats, positive, verb


def add_data(verbs: Verbs) -> None:
    """Adds `data`."""
    parser = verb(verbs, "data", "look at labelled sets before anyone trains on them")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    check = verb(
        actions,
        "check",
        "report what is in labelled sets and what is wrong with them\n\n"
        "Counts, schemes, coordinates, labels far from a face's shape, left and right exchanged,\n"
        "the same picture in two splits or of two persons, licences. Sets are looked at together.\n"
        "Exit code 1 where something was found.",
    )
    check.add_argument("sets", nargs="+", type=Path, metavar="SET", help=SETS)
    check.add_argument("--topology", default="face478", metavar="NAME|FILE", help="what trains")
    add_formats(check)
    check.add_argument(
        "--stop", action="store_true", help="end at the first record that cannot be used"
    )
    check.add_argument("--sheet", type=Path, metavar="FILE.png", help="a contact sheet goes here")
    check.add_argument("--faces", type=positive, default=36, metavar="N", help="on the sheet")
    check.add_argument("--output", type=Path, metavar="FILE.txt", help="the report goes here, too")
    check.set_defaults(call=_data_check)


def _data_check(options: argparse.Namespace) -> int:
    from functools import partial

    from tqdm import tqdm

    from amesh import topology
    from amesh.data.check.report import describe
    from amesh.data.check.run import check
    from amesh.data.check.sheet import write_sheet
    from amesh.data.sources.opening import SourceConfig, open_source
    from amesh.data.sources.records import Problems
    from amesh.files import write_atomically

    scheme = topology.load(options.topology)
    problems = Problems("stop" if options.stop else "skip")
    sources = [
        open_source(
            SourceConfig(
                path,
                options.format,
                images=options.images,
                scheme=options.scheme,
                coordinates=options.coordinates,
            ),
            problems,
        )
        for path in options.sets
    ]
    progress = partial(tqdm, unit="face", disable=not sys.stderr.isatty())
    report = check(sources, scheme, problems, progress)
    text = describe(report)
    print(text, end="")
    if options.output is not None:
        write_atomically(options.output, text.encode())
    if options.sheet is not None:
        write_sheet(options.sheet, sources, report, scheme, options.faces)
    return DONE if report.clean else SOME_FAILED
