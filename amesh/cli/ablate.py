"""`amesh ablate`."""

import argparse
import sys
from pathlib import Path

from amesh.cli.options import add_sets, chosen_sets, needs_training
from amesh.cli.parsing import DONE, SOME_FAILED, count, positive
from amesh.errors import UserError

DETAILS = """
Trains every variant listed in a file such as conf/ablation/paper.yaml for the same budget and with
several seeds, evaluates all of them on labelled faces, and writes tables as Markdown and JSON:
errors, differences from the reference with 95 % intervals over faces and seeds, parameters,
operations and time.

The file has `common`, arguments of `amesh fit` for all variants; `variants`, each with its own
further arguments; and `reference`, one of the variants. All variants are trained with the first
seed, then with the second, and so on. The same command again resumes where it was interrupted and
trains nothing twice; more --seeds add to what is there. Each training has a folder in --runs, with
a log.txt.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument(
        "ablation",
        metavar="FILE.yaml",
        help="a file, or the name of one that comes with amesh: paper, table_2",
    )
    add_sets(parser, required=True)
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="use at most N labels of each source"
    )
    parser.add_argument(
        "--seeds", type=positive, default=3, metavar="N", help="trainings of each variant"
    )
    parser.add_argument(
        "--jobs",
        type=positive,
        default=1,
        metavar="N",
        help="trainings to run at once; they share the cores",
    )
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("ablation"),
        metavar="DIR",
        help="folder for the trainings",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("ablation"), metavar="DIR", help="folder for the tables"
    )
    parser.add_argument(
        "--score-only",
        action="store_true",
        help="train nothing; evaluate the seeds that are complete for all variants",
    )
    parser.set_defaults(call=_ablate)


def _ablate(options: argparse.Namespace) -> int:
    read_ablation = needs_training("amesh.ablation.plan", "read_ablation")
    from amesh.ablation import report
    from amesh.ablation.cost import costs
    from amesh.ablation.plan import budget, plan
    from amesh.ablation.runs import network, train
    from amesh.ablation.score import read_faces, score_variants
    from amesh.evaluation.run import try_folder
    from amesh.metrics.confidence import RESAMPLES
    from amesh.topology.scheme import load as load_topology

    ablation = read_ablation(options.ablation)
    data = chosen_sets(options)
    topology = load_topology()
    # Read first: mistakes show before hours of training.
    labels, read = read_faces(data, topology, options.limit)
    try_folder(options.output)
    jobs = plan(ablation, options.seeds, options.runs)
    if not options.score_only:
        train(jobs, options.jobs, options.runs, say=_say)
    networks = {(job.variant, job.seed): network(job) for job in jobs}
    missing = {key for key, file in networks.items() if file is None}
    seeds = tuple(s for s in range(options.seeds) if all(s != seed for _, seed in missing))
    if not seeds:
        first = ", ".join(f"{name}, seed {seed}" for name, seed in sorted(missing)[:1])
        raise UserError(
            f"{options.runs}: no seed is complete for all variants ({first} and "
            f"{count(len(missing) - 1, 'other')} are missing); leave out --score-only"
        )
    variants = {
        name: [file for seed in seeds if (file := networks[name, seed]) is not None]
        for name in ablation.variants
    }
    made = report.Made(
        ablation.name,
        ablation.reference,
        seeds,
        ablation.common,
        dict(ablation.variants),
        {job.variant: budget(job.settings) for job in jobs},
    )
    _say(f"scoring {count(sum(map(len, variants.values())), 'network')}")
    sets, failed = score_variants(variants, ablation.reference, labels, read, topology, RESAMPLES)
    spent = costs({name: files[0] for name, files in variants.items()})
    told = report.about(made, variants, data.paths, _told(options))
    if failed:
        told["pictures that could not be read"] = len(failed)
    files = report.write(made, told, sets, spent, RESAMPLES, options.output)
    print(report.markdown(made, told, sets, spent, RESAMPLES))
    _say("written: " + ", ".join(map(str, files)))
    for reason in failed.values():
        _say(reason)
    return SOME_FAILED if failed else DONE


def _told(options: argparse.Namespace) -> dict[str, str]:
    """Options that decide which faces are scored, for the report."""
    found = {"coordinates": options.coordinates or "as each label says"}
    if options.only:
        found["only the faces in"] = options.only.name
    if options.without:
        found["without those in"] = options.without.name
    if options.limit:
        found["limit"] = count(options.limit, "label") + " of each source"
    return found


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
