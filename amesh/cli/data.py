"""`amesh data`."""

import argparse
import sys
from pathlib import Path

from amesh.cli.options import SETS, add_formats
from amesh.cli.parsing import DONE, SOME_FAILED, add_action, add_actions, positive

DETAILS = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the actions."""
    check = add_action(
        add_actions(parser),
        "check",
        "report what labelled sets contain and what is wrong with them\n\n"
        "The report gives counts, schemes, coordinates and licences, and finds labels that are "
        "not shaped like a face, points that look missing or misplaced, reversed depth, left and "
        "right exchanged, and the same picture in two splits or under two persons. Sets are "
        "checked together. The exit code is 1 if anything is wrong.",
    )
    check.add_argument("sets", nargs="+", type=Path, metavar="SET", help=SETS)
    check.add_argument(
        "--topology",
        default="face478",
        metavar="NAME|FILE",
        help="topology of the network to be trained",
    )
    add_formats(check)
    check.add_argument(
        "--stop", action="store_true", help="stop at the first record that cannot be used"
    )
    check.add_argument("--sheet", type=Path, metavar="FILE.png", help="picture for a contact sheet")
    check.add_argument(
        "--faces", type=positive, default=36, metavar="N", help="number of faces on the sheet"
    )
    check.add_argument(
        "--output", type=Path, metavar="FILE.txt", help="also write the report to this file"
    )
    check.set_defaults(call=_data_check)


def _data_check(options: argparse.Namespace) -> int:
    from functools import partial

    from tqdm import tqdm

    from amesh import topology
    from amesh.data.check.report import describe
    from amesh.data.check.run import check
    from amesh.data.check.sheet import write_sheet
    from amesh.data.sources.opening import SourceConfig, open_source
    from amesh.data.sources.problems import Problems
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
                outside=options.outside,
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
