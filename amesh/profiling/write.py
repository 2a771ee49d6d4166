"""Writes profiles into shards."""

import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image

from amesh.data import random
from amesh.data.loading.pictures import decode
from amesh.data.sources.keys import picture_of
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.shard_files import ShardWriter, written_keys
from amesh.data.sources.source import Source
from amesh.errors import UserError
from amesh.files import locked, remove_leftovers
from amesh.profiling.head import Angles, HeadFitter
from amesh.profiling.options import FURTHER, ProfileConfig
from amesh.profiling.turn import Turned, View, turn

_QUALITY = 95
# Mean pitch of people relative to the template, which looks up slightly [degrees].
_AHEAD = 5.0
# Largest share of landmarks beyond the picture's edge: nothing is known of how these parts look.
_OUTSIDE = 0.25


def write_profiles(
    folder: Path,
    source: Source,
    numbers: Sequence[int],
    fitter: HeadFitter,
    config: ProfileConfig,
    count: int,
    seed: int = 0,
    rank: int = 0,
    ranks: int = 1,
    per_shard: int = 500,
    done: Callable[[int], object] = lambda number: None,
    say: Callable[[str], None] = print,
) -> Counter[str]:
    """Writes profiles 0 to `count` - 1, except those that exist already.

    Ctrl-C and a full disk keep all profiles of finished shards, and the same call again does the
    rest. Another range of views makes other profiles, which are added.

    Args:
        folder: Folder of the shards.
        source: The labelled faces.
        numbers: Indices of the faces to turn; each is used as often as `count` needs.
        fitter: Fits heads to them.
        config: How far they are turned.
        count: Number of profiles of all ranks together.
        seed: Another seed turns the faces otherwise.
        rank: Index of this process, from 0; it makes every `ranks`-th profile.
        ranks: Number of processes.
        per_shard: Maximum number of profiles per shard.
        done: Called with the number of further profiles that exist.
        say: Receives a message for each face that cannot be turned.

    Returns:
        How many profiles were made, by `made`, existed, by `before`, and could not be, by
        `failed`.

    Raises:
        UserError: There is no face to turn, the rank is out of range, another process has it, or
            the folder cannot be written to.
    """
    if not 0 <= rank < ranks:
        raise UserError(f"rank {rank} of {ranks}: expected 0 to {ranks - 1}")
    if not numbers:
        raise UserError(f"{source.name}: no face in it that could be turned to the side")
    name = f"profiles-{rank:04d}"
    taken = (
        f"{folder}: another process is writing profiles there as rank {rank}; wait for it, or "
        "give each process its own --rank"
    )
    counts = Counter[str]()
    with locked(folder / f".{name}.lock", taken):
        remove_leftovers(folder, f"{name}-*")  # of a process that was killed
        known = written_keys(folder, "profiles")
        entries = source.entries
        with ShardWriter(folder, name, per_shard) as writer:
            for i in range(rank, count, ranks):
                number, copy = numbers[i % len(numbers)], i // len(numbers)
                if profile_key(entries[number].key, config, seed, copy) in known:
                    counts["before"] += 1
                    done(1)
                    continue
                face = source[number]
                try:
                    made = make(face, fitter, config, seed, copy)
                    writer.add(labelled(face, made, config, seed, copy))
                    counts["made"] += 1
                except UserError as error:
                    if writer.torn:  # the shard, not the picture
                        raise
                    say(str(error))
                    counts["failed"] += 1
                done(1)
    return counts


def make(
    face: LabelledFace, fitter: HeadFitter, config: ProfileConfig, seed: int, copy: int
) -> Turned:
    """Turns a face to the side that it looks to.

    Args:
        face: The face.
        fitter: Fits a head to it.
        config: How far it is turned.
        seed: Seed of the views.
        copy: Another number shows the face in another view.

    Raises:
        UserError: Its picture cannot be read, or its landmarks are not in the picture.
    """
    pixels = decode(face.read_picture(), face.where).pixels
    height, width = pixels.shape[:2]
    outside = ~((face.points[:, :2] >= 0) & (face.points[:, :2] <= (width, height))).all(1)
    if not outside.mean() <= _OUTSIDE:
        raise UserError(
            f"{face.where}: {outside.sum()} of its {outside.size} landmarks lie outside the "
            f"picture, {width} x {height} px; cannot be turned"
        )
    head = fitter(pixels, face.points)
    return turn(pixels, head, draw_view(head.angles, face.key, config, seed, copy), fitter)


def draw_view(angles: Angles, key: str, config: ProfileConfig, seed: int, copy: int) -> View:
    """Draws a view of a head that is turned further the way it already looks.

    Args:
        angles: The pose of the head now.
        key: The face's key.
        config: Range of the poses.
        seed: Seed of the views.
        copy: Number of the view.
    """
    number = torch.tensor([zlib.crc32(key.encode(errors="surrogatepass"))])
    draws = random.uniform(random.keys(seed, copy, number), "profile", [7])[0].tolist()
    turned, nod, tilt, far, large, *aside = draws
    least = min(max(config.least, abs(angles.yaw) + FURTHER), config.most)
    yaw = config.least + (config.most - config.least) * turned
    if yaw < least:  # drawn again, from what is left
        yaw = least + (config.most - least) * (yaw - config.least) / (least - config.least)
    side = 1.0 if angles.yaw > 0 else -1.0
    return View(
        Angles(side * yaw, _AHEAD + config.pitch * (2 * nod - 1), angles.roll + 10 * (tilt - 0.5)),
        distance=5.0 * 6.0**far,
        face=0.40 + 0.1 * large,
        shift=(0.08 * (aside[0] - 0.5), 0.08 * (aside[1] - 0.5)),
    )


def labelled(
    face: LabelledFace, turned: Turned, config: ProfileConfig, seed: int, copy: int
) -> LabelledFace:
    """Returns a profile with what is known of the face it was made of, encoded as JPEG."""
    file = io.BytesIO()
    Image.fromarray(turned.pixels).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    weight_xy, weight_z = face.weights()
    return LabelledFace(
        picture=file.getvalue(),
        scheme=face.scheme,
        points=turned.landmarks,
        source=face.source,
        key=profile_key(face.key, config, seed, copy),
        where=face.where,
        licence=face.licence,
        weight_xy=weight_xy,
        weight_z=weight_z,
        visibility=turned.visibility,
        group=face.group,
        # So that a profile is never held out without its face, nor trained on without it.
        person=picture_of(face.key) if face.person is None else face.person,
        split=face.split,
        generated=face.generated,
    )


def profile_key(key: str, config: ProfileConfig, seed: int, copy: int) -> str:
    """Returns the key of a profile of the face of that key; other views have other keys."""
    changes = f"{config.changes}-" if config.changes else ""
    return f"profile-{changes}{seed}-{copy}/{key}"


def pictures(
    source: Source,
    numbers: Sequence[int],
    fitter: HeadFitter,
    config: ProfileConfig,
    count: int,
    seed: int,
    say: Callable[[str], None] = print,
) -> Iterator[Turned]:
    """Yields the first profiles, to look at; says which faces cannot be turned."""
    for i in range(min(count, 64 * len(numbers))):
        face = source[numbers[i % len(numbers)]]
        try:
            yield make(face, fitter, config, seed, i // len(numbers))
        except UserError as error:
            say(str(error))
