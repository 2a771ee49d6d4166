from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amesh.data.sources.manifest import read_manifest
from amesh.data.sources.problems import Problems
from amesh.errors import UserError
from amesh.growing import growing, part_of
from amesh.labelling.manifest import Manifest
from amesh.labelling.negatives import find_negatives, write_negatives
from amesh.labelling.sources import find_inputs
from amesh.labelling.teacher import Teacher
from amesh.pipeline.face_pipeline import FacePipeline

from .conftest import ColourReader, coloured, face

Make = Callable[..., Teacher]


def sceptic(network: ColourReader, make_teacher: Make) -> FacePipeline:
    """Finds the face, but never calls a region one."""
    network.logit = -9.0
    pipeline = make_teacher(network).pipeline
    pipeline.min_score = 0.0
    return pipeline


def test_regions_lie_in_the_picture_and_away_from_the_face(
    network: ColourReader, make_teacher: Make
):
    image = coloured()
    boxes = np.array(find_negatives(image, sceptic(network, make_teacher), 3, seed=1))
    low, high = face()[:, :2].min(0), face()[:, :2].max(0)

    assert boxes.shape == (3, 4)
    assert (boxes >= 0).all()
    assert (boxes[:, 2:] <= image.shape[1::-1]).all()
    np.testing.assert_allclose(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    apart = (boxes[:, :2] >= high).any(1) | (boxes[:, 2:] <= low).any(1)
    assert apart.all()
    again = find_negatives(image, sceptic(network, make_teacher), 3, seed=1)
    np.testing.assert_array_equal(boxes, again)


def test_what_the_network_takes_for_a_face_is_left_out(network: ColourReader, make_teacher: Make):
    pipeline = make_teacher(network).pipeline
    assert find_negatives(coloured(), pipeline, 3, seed=1) == []
    kept = find_negatives(coloured(), pipeline, 3, seed=1, doubtful=True)
    assert kept == find_negatives(coloured(), sceptic(network, make_teacher), 3, seed=1)


def test_the_manifest_trains(
    network: ColourReader, make_teacher: Make, folder: Path, tmp_path: Path
):
    path, said = tmp_path / "out" / "negatives.jsonl", []
    pipeline = sceptic(network, make_teacher)
    (folder / "deep" / "text.jpg").write_text("no picture")
    inputs = find_inputs([str(folder / "deep")])
    with growing(path, {}) as file:
        found = write_negatives(inputs, Manifest(licence="CC0-1.0"), pipeline, file, 2, said.append)

    records = read_manifest(path, Problems(), outside=True)
    assert found == len(records) >= 6
    assert {record.face for record in records.faces} == {False}
    assert {record.licence for record in records.faces} == {"CC0-1.0"}
    assert all(record.read_picture() for record in records.faces)
    assert len(said) == 1  # the one that is no picture


def test_pictures_without_such_a_region_are_an_error(
    network: ColourReader, make_teacher: Make, folder: Path, tmp_path: Path
):
    pipeline = make_teacher(network).pipeline
    inputs = find_inputs([str(folder / "deep")])
    path = tmp_path / "out" / "n.jsonl"
    with pytest.raises(UserError, match="no region without a face"), growing(path, {}) as file:
        write_negatives(inputs, Manifest(), pipeline, file, 2, print)
    assert not list(path.parent.iterdir())


def test_workers_change_nothing(
    network: ColourReader, make_teacher: Make, folder: Path, tmp_path: Path
):
    (folder / "deep" / "3.png").write_text("no picture")
    pipeline, inputs = sceptic(network, make_teacher), find_inputs([str(folder / "deep")])
    said: dict[int, list[str]] = {1: [], 3: []}
    for workers, words in said.items():
        with growing(tmp_path / f"{workers}.jsonl", {}) as file:
            write_negatives(inputs, Manifest(), pipeline, file, 2, words.append, workers=workers)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "3.jsonl").read_bytes()
    assert len(said[1]) == 1  # the one that is no picture
    assert said[1] == said[3]


def test_an_interrupted_search_is_resumed(
    network: ColourReader, make_teacher: Make, folder: Path, tmp_path: Path
):
    pipeline, inputs = sceptic(network, make_teacher), find_inputs([str(folder / "deep")])

    class Interrupted(list):
        def __iter__(self) -> Iterator[Any]:
            yield from inputs[:2]
            raise KeyboardInterrupt

    def write(path: Path, chosen: Any, resume: bool = False) -> int:
        with growing(path, {}, resume) as file:
            return write_negatives(chosen, Manifest(), pipeline, file, 2, print)

    whole, path = tmp_path / "whole.jsonl", tmp_path / "negatives.jsonl"
    found = write(whole, inputs)
    with pytest.raises(KeyboardInterrupt):
        write(path, Interrupted())
    assert part_of(path).read_bytes().count(b"\n") == 4
    with part_of(path).open("ab") as file:
        file.write(b'{"image": "torn')  # as if it had been killed
    network.batches.clear()
    assert write(path, inputs, resume=True) == found
    assert path.read_bytes() == whole.read_bytes()
    assert len(network.batches) == 2 * (len(inputs) - 2)  # faces, regions
