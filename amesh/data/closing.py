"""Labelled faces whose open eyes are closed, to measure on: how far do networks close them?

`python -m amesh.data.closing SHARDS --output DIR` writes each face several times, from open eyes to
closed ones, both alike. The labels are as exact as those of the open eyes.
"""

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from amesh.data import random
from amesh.data.augment.closure import Closure
from amesh.data.augment.lids import CloseEyes, draw_closed
from amesh.data.loading.dataset import collate, make_sample
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.opening import SourceConfig, open_labels
from amesh.data.sources.problems import Problems
from amesh.data.sources.shard_files import ShardWriter, written_keys
from amesh.data.sources.source import Source
from amesh.errors import UserError
from amesh.topology import Topology, load

AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_SIZE = 256  # pictures are stored at the size that a crop of this side needs
_REACH = 1.6  # side of a picture, in sides of the region of interest
_QUALITY = 95


def closed_faces(source: Source, topology: Topology, seed: int = 0) -> Iterator[list[LabelledFace]]:
    """Yields the faces of a source whose two eyes are open, once for each of `AMOUNTS`.

    Args:
        source: Faces labelled in the topology.
        topology: Says where the lids are.
        seed: Another seed takes the faces in another order.
    """
    lids = CloseEyes(topology)
    for number in random.permutation(seed, 0, len(source)).tolist():
        face = source[number]
        if face.scheme != topology.name:
            continue
        sample = make_sample(face, topology, _SIZE, _REACH)
        canvas = collate([sample])
        found = []
        for amount in AMOUNTS:
            share = torch.full((1, 2), amount)
            closure = Closure(torch.ones(1, 1, dtype=torch.bool), share, torch.zeros(1, 2))
            eyes = lids.find(canvas.landmarks, canvas.weight_xy, closure)
            if not torch.equal(eyes.amount, share):  # not open, or out of view
                break
            picture = draw_closed(canvas.pictures, eyes)[0].permute(1, 2, 0).numpy()
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "JPEG", quality=_QUALITY, subsampling=0)
            found.append(
                replace(
                    face,
                    picture=file.getvalue(),
                    key=f"{face.key}-closed-{amount:g}",
                    points=lids.move(canvas.landmarks, eyes)[0].numpy(),
                    size=None,
                    person=face.person or face.key,  # pictures of one face are not independent
                )
            )
        else:
            yield found


def main(args: Sequence[str] | None = None) -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("shards", type=Path, help="faces labelled in the network's landmarks")
    parser.add_argument("--output", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--faces", type=int, default=100, help="maximum number of faces")
    options = parser.parse_args(args)
    try:
        if written_keys(options.output, "closed"):
            raise UserError(f"{options.output}: there are closed eyes in it already")
        source = open_labels(SourceConfig(options.shards), Problems())
        count = 0
        with ShardWriter(options.output, "closed") as writer:
            for faces in closed_faces(source, load()):
                writer.add(*faces)
                count += 1
                if count == options.faces:
                    break
        if not count:
            raise UserError(f"{options.shards}: no face with two open eyes and labelled lids in it")
    except UserError as error:
        print(f"closing: {error}", file=sys.stderr)
        return 2
    number = "1 face" if count == 1 else f"{count} faces"
    print(f"{number} in {options.output}, each with {len(AMOUNTS)} openings of its eyes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
