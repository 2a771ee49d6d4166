"""The plan of an ablation: variants of one configuration, each trained with several seeds."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from amesh.ablation.runs import Job
from amesh.errors import UserError
from amesh.training.cli import quieten
from amesh.training.parser import settings_of
from amesh.training.settings import conf_folder

_KEYS = ("common", "reference", "variants")
# Arguments that are set here for each training, and would override those of a variant.
_OURS = ("--seed_everything", "--trainer.default_root_dir", "--ckpt_path")


@dataclass(frozen=True)
class Ablation:
    """The variants of an ablation.

    Attributes:
        name: Name of its file.
        common: Arguments of `amesh fit` for all variants.
        reference: Name of the variant that the others are compared with.
        variants: Further arguments of each variant by its name, in the order of the tables.
    """

    name: str
    common: tuple[str, ...]
    reference: str
    variants: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        """Checks that the variants can be compared.

        Raises:
            UserError: There are no variants, the reference is not one of them, names would share a
                folder, or an argument is one that `amesh ablate` sets itself.
        """
        if not self.variants:
            raise UserError("no variants")
        if self.reference not in self.variants:
            raise UserError(
                f"reference {self.reference!r} is not a variant: {', '.join(self.variants)}"
            )
        folders = Counter(map(slug, self.variants))
        for name in self.variants:
            if not slug(name) or folders[slug(name)] > 1:
                raise UserError(f"variant {name!r}: needs letters or digits that no other has")
        for argument in chain(self.common, *self.variants.values()):
            if argument.split("=")[0] in _OURS:
                raise UserError(f"{argument}: set by `amesh ablate`; leave it out")


def read_ablation(name: str) -> Ablation:
    """Reads an ablation.

    Args:
        name: A file, or the name of a shipped one: `paper` is `conf/ablation/paper.yaml`.

    Raises:
        UserError: There is no such file, or it is invalid.
    """
    path = _file(name)
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected {', '.join(_KEYS)}")
    if unknown := [str(key) for key in found if key not in _KEYS]:
        raise UserError(f"{path}: unknown {', '.join(unknown)}; expected {', '.join(_KEYS)}")
    variants = found.get("variants") or {}
    if not isinstance(variants, dict):
        raise UserError(f"{path}: variants: expected names, each with arguments of `amesh fit`")
    try:
        return Ablation(
            path.stem,
            _arguments(found.get("common"), "common"),
            str(found.get("reference")),
            {str(name): _arguments(own, f"variant {name!r}") for name, own in variants.items()},
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def plan(ablation: Ablation, seeds: int, runs: Path) -> list[Job]:
    """Lists all trainings, seed by seed, so that the first seeds can be compared early.

    Args:
        ablation: The variants.
        seeds: Number of trainings of each variant; seeds count from 0.
        runs: The folder of all trainings.

    Raises:
        UserError: `amesh fit` would refuse the arguments of a variant, or they would invalidate the
            comparison.
    """
    quieten()
    jobs = []
    for seed in range(seeds):
        for name, own in ablation.variants.items():
            arguments = (*ablation.common, *own, f"--seed_everything={seed}")
            try:
                found = settings_of(("fit", *arguments))
                _check(found, seed)
            except UserError as error:
                raise UserError(f"variant {name!r}: {error}") from None
            folder = runs / slug(name) / f"seed-{seed}"
            jobs.append(Job(name, seed, arguments, found, folder))
    return jobs


def _check(settings: Mapping[str, Any], seed: int) -> None:
    """Refuses settings that would be noticed only hours later: other output files, a fixed seed."""
    own = {
        "trainer.logger=false": settings["trainer"]["logger"] is False,
        f"save.name={settings['save']['name']}": settings["save"]["name"] != "network",
        f"last.folder={settings['last']['folder']}": settings["last"]["folder"] is not None,
    } | {
        f"{part}.seed={settings[part]['seed']}": settings[part]["seed"] != seed
        for part in ("data", "model")
    }
    for argument, wrong in own.items():
        if wrong:
            raise UserError(f"{argument}: files and seeds are set by `amesh ablate`; leave it out")


def budget(settings: Mapping[str, Any]) -> str:
    """Describes the length of a training; equal descriptions are equal budgets."""
    trainer, batch = settings["trainer"], settings["data"]["batch_size"]
    steps, epochs = trainer["max_steps"], trainer["max_epochs"]
    ends = [f"{steps:,} steps"] if steps and steps > 0 else []
    ends += [f"{epochs} epochs"] if epochs and epochs > 0 else []
    ends += [f"{trainer['max_time']} of time"] if trainer["max_time"] else []
    faces = f"{batch} faces"
    if trainer["accumulate_grad_batches"] > 1:
        faces += f", {trainer['accumulate_grad_batches']} times,"
    if trainer["devices"] != 1:
        faces += f" on each of {trainer['devices']} devices"
    if trainer["num_nodes"] > 1:
        faces += f" on {trainer['num_nodes']} machines"
    joint = "of" if len(ends) == 1 and steps and steps > 0 else "in batches of"
    return f"{' or '.join(ends) or 'no end'} {joint} {faces}"


def slug(name: str) -> str:
    """Returns the name of a variant's folder."""
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")


def _arguments(found: Any, where: str) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(argument, str) for argument in found):
        raise UserError(f"{where}: expected a list of arguments of `amesh fit`, found {found!r}")
    return tuple(found)


def _file(name: str) -> Path:
    if Path(name).is_file():
        return Path(name)
    shipped = {path.stem: path for path in sorted((conf_folder() / "ablation").glob("*.yaml"))}
    if name in shipped:
        return shipped[name]
    raise UserError(f"no ablation {name!r}: give a file or one of {', '.join(shipped)}")
