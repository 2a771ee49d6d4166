"""What `amesh run` works on: pictures and videos in files and folders, addresses, cameras."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from amesh.errors import UserError
from amesh.pipeline.listing import IMAGE_SUFFIXES, list_files
from amesh.pipeline.video import (
    VIDEO_SUFFIXES,
    is_camera_or_address,
    is_video,
    without_password,
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to run on.

    Attributes:
        path: Its file.
        name: Its name in the results: as given, or relative to the only given folder.
        problem: Why there is nothing to read, in one line: a folder that cannot be listed.
    """

    path: Path
    name: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Video:
    """A video to run on.

    Attributes:
        source: Its file, address or camera.
        name: Its name in the results, as for pictures; an address without its password.
    """

    source: str
    name: str

    @property
    def path(self) -> Path | None:
        """Its file, if it is one."""
        return None if is_camera_or_address(self.source) else Path(self.source)


Input: TypeAlias = Picture | Video


class Inputs(NamedTuple):
    """What was found.

    Attributes:
        found: In the order given; folders are sorted.
        skipped: What was left out, a line each.
    """

    found: list[Input]
    skipped: list[str]


def find_inputs(sources: Sequence[str]) -> Inputs:
    """Lists pictures and videos.

    A folder stands for its pictures or, if it holds none, for its videos. With several sources,
    names keep their folder, because sources may contain equal names. A sub-folder that cannot be
    listed is in the list, with its problem. A video that is given twice is listed once.

    Raises:
        UserError: A source does not exist, a folder holds nothing, or a camera or an address, which
            may have no end, is not the only source.
    """
    alone = len(sources) == 1
    found: list[Input] = []
    skipped = []
    for source in sources:
        path = Path(source)
        if is_camera_or_address(source):
            if not alone:
                raise UserError(f"{without_password(source)}: a camera or an address runs alone")
            found.append(Video(source, without_password(source)))
        elif path.is_dir():
            inside, left_out = _in_folder(path, alone)
            found += inside
            skipped += left_out
        elif not os.path.lexists(path):
            raise UserError(f"{path}: no such file or folder")
        else:
            one = Video(source, source) if is_video(source) else Picture(path, source)
            if isinstance(one, Picture) or one not in found:
                found.append(one)
    return Inputs(found, skipped)


def _in_folder(folder: Path, alone: bool) -> Inputs:
    files, problems = list_files(folder, (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))
    if not files:
        nothing = f"{folder}: no picture and no video in this folder"
        raise UserError(next(iter(problems.values()), nothing))

    def name(file: Path) -> str:
        return (file.relative_to(folder) if alone else file).as_posix()

    videos = [file for file in files if is_video(file.name)]
    pictures = [file for file in files if not is_video(file.name)]
    found: list[Input] = [Picture(file, name(file)) for file in pictures]
    skipped = []
    if not pictures:
        found += [Video(str(file), name(file)) for file in videos]
    elif videos:
        skipped.append(f"{folder}: videos left out, because there are pictures: {len(videos)}")
    found += [Picture(file, name(file), problem) for file, problem in problems.items()]
    return Inputs(found, skipped)
