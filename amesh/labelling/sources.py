"""The inputs to label: pictures and clips, with names that do not depend on their location."""

import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amesh.errors import UserError
from amesh.pipeline.listing import IMAGE_SUFFIXES, list_files
from amesh.pipeline.video import VIDEO_SUFFIXES

# Environment variables set by launchers: the process's rank, and the number of processes. Slurm
# sets SLURM_PROCID and SLURM_NTASKS even for the single process of a batch script; only steps
# started by srun have SLURM_STEP_NUM_TASKS (its src/common/env.c, env_array_for_step).
_LAUNCHERS = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"))


@dataclass(frozen=True)
class Input:
    """A picture or a clip.

    Attributes:
        path: Path of the file.
        name: Name of the given folder and the path inside it; for a file, its folder and its name.
            A folder thus yields the same names as its files given one by one.
        video: Whether it is a clip.
        problem: Why there is nothing to read, in one line: a folder that cannot be listed.
    """

    path: Path
    name: str
    video: bool
    problem: str = ""


@dataclass(frozen=True)
class Share:
    """The part of the work assigned to this process.

    Attributes:
        rank: This process, counted from 0.
        ranks: Number of processes.
    """

    rank: int = 0
    ranks: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.ranks:
            raise UserError(f"rank {self.rank} of {self.ranks}: expected 0 to {self.ranks - 1}")

    def has(self, key: str) -> bool:
        """Whether a picture or frame belongs to this share; depends on its name alone."""
        return zlib.crc32(key.encode(errors="surrogateescape")) % self.ranks == self.rank


def find_inputs(sources: Sequence[str]) -> list[Input]:
    """Lists the pictures and clips in files and folders; folders are sorted.

    Raises:
        UserError: A source does not exist or is an empty folder, or two inputs share a name.
    """
    found: dict[str, Input] = {}
    for source in sources:
        path = Path(os.path.abspath(source))  # noqa: PTH100 - resolve() would follow links
        if path.is_dir():
            files, problems = list_files(path, (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))
            if not files:
                nothing = f"{source}: no picture and no video in this folder"
                raise UserError(next(iter(problems.values()), nothing))
            base = path.parent
        elif os.path.lexists(path):
            files, problems, base = [path], {}, path.parent.parent
        else:
            raise UserError(f"{source}: no such file or folder")
        for file in [*files, *problems]:
            name = file.relative_to(base).as_posix()
            video = file.suffix.lower() in VIDEO_SUFFIXES
            one = Input(file, name, video and file not in problems, problems.get(file, ""))
            other = found.setdefault(name, one)
            if other.path != file:
                raise UserError(
                    f"{other.path} and {file} would both be called {name}; "
                    "label them into separate folders, or rename one"
                )
    return list(found.values())


def find_share(
    rank: int | None, ranks: int | None, environment: Mapping[str, str] = os.environ
) -> Share:
    """Determines this process's share: as given, as set by the launcher, or everything.

    Raises:
        UserError: Only one of the two numbers is given, or they are invalid.
    """
    if (rank is None) != (ranks is None):
        raise UserError("give --rank and --ranks together, or neither")
    if rank is not None and ranks is not None:
        return Share(rank, ranks)
    for number, count in _LAUNCHERS:
        if number in environment and count in environment:
            try:
                return Share(int(environment[number]), int(environment[count]))
            except ValueError as error:
                raise UserError(f"environment {number} and {count}: {error}") from None
    return Share()
