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
from amesh.labelling.negatives import Search, find_negatives, write_negatives
from amesh.labelling.sources import find_inputs
from amesh.labelling.squares import well_placed
from amesh.labelling.teacher import Teacher
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.runner import RunnerOutput

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
    boxes = np.array(find_negatives(image, Search(sceptic(network, make_teacher), 3), seed=1))
    low, high = face()[:, :2].min(0), face()[:, :2].max(0)

    assert boxes.shape == (3, 4)
    assert (boxes >= 0).all()
    assert (boxes[:, 2:] <= image.shape[1::-1]).all()
    np.testing.assert_allclose(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    apart = (boxes[:, :2] >= high).any(1) | (boxes[:, 2:] <= low).any(1)
    assert apart.all()
    again = find_negatives(image, Search(sceptic(network, make_teacher), 3), seed=1)
    np.testing.assert_array_equal(boxes, again)


def test_what_the_network_takes_for_a_face_is_left_out(network: ColourReader, make_teacher: Make):
    pipeline = make_teacher(network).pipeline
    assert find_negatives(coloured(), Search(pipeline, 3), seed=1) == []
    kept = find_negatives(coloured(), Search(pipeline, 3, doubtful=True), seed=1)
    assert kept == find_negatives(coloured(), Search(sceptic(network, make_teacher), 3), seed=1)


def test_the_manifest_trains(
    network: ColourReader, make_teacher: Make, folder: Path, tmp_path: Path
):
    path, said = tmp_path / "out" / "negatives.jsonl", []
    search = Search(sceptic(network, make_teacher), 2)
    (folder / "deep" / "text.jpg").write_text("no picture")
    inputs = find_inputs([str(folder / "deep")])
    with growing(path, {}) as file:
        found = write_negatives(inputs, Manifest(licence="CC0-1.0"), search, file, said.append)

    records = read_manifest(path, Problems(), outside=True)
    assert found == len(records) >= 6
    assert {record.face for record in records.faces} == {False}
    assert {record.licence for record in records.faces} == {"CC0-1.0"}
    assert all(record.read_picture() for record in records.faces)
    assert len(said) == 1  # the one that is no picture


def test_pictures_without_such_a_region_are_an_error(
    network: ColourReader, make_teacher: Make, folder: Path, tmp_path: Path
):
    search = Search(make_teacher(network).pipeline, 2)
    inputs = find_inputs([str(folder / "deep")])
    path = tmp_path / "out" / "n.jsonl"
    with pytest.raises(UserError, match="no region without a face"), growing(path, {}) as file:
        write_negatives(inputs, Manifest(), search, file)
    assert not list(path.parent.iterdir())


def test_workers_change_nothing(
    network: ColourReader, make_teacher: Make, folder: Path, tmp_path: Path
):
    (folder / "deep" / "3.png").write_text("no picture")
    search, inputs = Search(sceptic(network, make_teacher), 2), find_inputs([str(folder / "deep")])
    said: dict[int, list[str]] = {1: [], 3: []}
    for workers, words in said.items():
        with growing(tmp_path / f"{workers}.jsonl", {}) as file:
            write_negatives(inputs, Manifest(), search, file, words.append, workers)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "3.jsonl").read_bytes()
    assert len(said[1]) == 1  # the one that is no picture
    assert said[1] == said[3]


def test_an_interrupted_search_is_resumed(
    network: ColourReader, make_teacher: Make, folder: Path, tmp_path: Path
):
    search, inputs = Search(sceptic(network, make_teacher), 2), find_inputs([str(folder / "deep")])

    class Interrupted(list):
        def __iter__(self) -> Iterator[Any]:
            yield from inputs[:2]
            raise KeyboardInterrupt

    def write(path: Path, chosen: Any, resume: bool = False) -> int:
        with growing(path, {}, resume) as file:
            return write_negatives(chosen, Manifest(), search, file)

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


class Judge(ColourReader):
    """Its flag depends on the middle of the region: x, y [px]."""

    def __init__(self, flag: Callable[[float, float], float]) -> None:
        super().__init__([face()])
        self.flag = flag

    def __call__(self, crops: np.ndarray) -> RunnerOutput:
        affines = map(self.image_from_crop, crops)
        flags = [self.flag(*(at[:, :2] @ (32.0, 32.0) + at[:, 2])) for at in affines]
        return RunnerOutput(super().__call__(crops).landmarks, np.array(flags, np.float32))


def middles(boxes: list[Any]) -> np.ndarray:
    return (np.array(boxes)[:, :2] + np.array(boxes)[:, 2:]) / 2


def test_hard_regions_are_badly_placed_and_refused_by_the_others(make_teacher: Make):
    hard = make_teacher(Judge(lambda x, y: y / 256)).pipeline
    refuses = make_teacher(Judge(lambda x, y: -9.0)).pipeline
    left = make_teacher(Judge(lambda x, y: -9.0 if x < 128 else 9.0)).pipeline
    search = Search(refuses, 6, hard=hard, refused_by=(left,))
    boxes = find_negatives(coloured(), search, seed=3)

    assert len(boxes) == 6
    low, high = face()[:, :2].min(0), face()[:, :2].max(0)
    assert not well_placed(np.array(boxes), np.array([[*low, *high]])).any()
    assert (middles(boxes)[:, 0] < 128).all()
    downwards = middles(boxes)[:, 1]
    assert (np.diff(downwards) <= 1).all()  # what is hardest comes first
    nobody = Search(make_teacher(Judge(lambda x, y: 9.0)).pipeline, 6, hard=hard)
    assert find_negatives(coloured(), nobody, seed=3) == []


def test_easy_regions_are_not_hard(make_teacher: Make):
    sure = make_teacher(Judge(lambda x, y: -20.0)).pipeline
    assert find_negatives(coloured(), Search(sure, 4, hard=sure), seed=1) == []


def test_in_faceless_pictures_what_detectors_find_comes_first(make_teacher: Make):
    network = Judge(lambda x, y: 9.0)
    boxes = np.array(
        find_negatives(coloured(), Search(make_teacher(network).pipeline, 8, faceless=True), seed=1)
    )
    low, high = face()[:, :2].min(0), face()[:, :2].max(0)
    np.testing.assert_allclose(boxes[0], [*low, *high], atol=1e-3)
    assert well_placed(boxes, boxes[:1]).all()
    assert network.batches == []  # no network is asked


@pytest.mark.parametrize(
    "options",
    [
        {"hard": True, "doubtful": True},
        {"faceless": True, "doubtful": True},
        {"judges": True},
        {"judges": True, "hard": True, "faceless": True},
    ],
)
def test_options_that_exclude_each_other_are_refused(
    make_teacher: Make, network: ColourReader, options: dict[str, bool]
):
    pipeline = make_teacher(network).pipeline
    hard = pipeline if options.pop("hard", False) else None
    judges = (pipeline,) if options.pop("judges", False) else ()
    with pytest.raises(UserError, match="--"):
        Search(pipeline, hard=hard, refused_by=judges, **options)
