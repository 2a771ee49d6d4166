import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from evaluated_faces import Finder

from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation import models
from amesh.evaluation.models import run_models
from amesh.evaluation.perturbation import perturbations
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def test_pictures_that_are_all_unreadable_are_refused(
    pose: Pose, label: MakeLabel, topology: Topology
) -> None:
    with pytest.raises(UserError, match=r"none of 1 pictures.*a\.jpg"):
        run_models({"x": Finder(pose(), 0)}, [label(pose())], topology)


def test_each_label_is_seen_in_its_own_region(
    pose: Pose, label: MakeLabel, topology: Topology
) -> None:
    finder = Finder(pose(), 0)
    labels = [
        label(pose()),
        label(pose(centre=(170.0, 90.0))),
        label(pose(), scheme=None, points=np.zeros((0, 2))),
    ]
    black = np.zeros((200, 220, 3), dtype=np.uint8)
    runs = run_models({"x": finder}, labels, topology, perturb_rois=True, read=lambda _: black)
    run = runs["x"]
    assert [len(rois.size) for rois in finder.rois] == [len(perturbations())] * 2
    middles = [rois.centre[0].tolist() for rois in finder.rois]
    assert middles[1][0] - middles[0][0] == pytest.approx(70.0, abs=0.5)
    assert [found is None for found in run.in_roi] == [False, False, True]
    assert [found is None for found in run.perturbed] == [False, False, True]
    assert len(run.full.of(labels[0])) == 1
    np.testing.assert_allclose(run.in_roi[0], pose(), atol=1e-4)
    assert run.perturbed[1] is not None
    np.testing.assert_allclose(run.perturbed[1][7], pose() + np.array([0, 7, 0]), atol=1e-4)


@pytest.mark.parametrize("cores", [1, 3])
def test_results_are_those_of_their_labels_on_any_number_of_cores(
    cores: int,
    pose: Pose,
    label: MakeLabel,
    topology: Topology,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "cores", lambda: cores)
    names = [f"{i}.jpg" for i in (3, 0, 2, 1, 0)]  # the last is a second face of a picture

    def read(path: Path) -> np.ndarray:
        time.sleep(0.01 * int(path.stem))  # the first ends last
        return np.full((200, 220, 3), (int(path.stem), 0, 0), dtype=np.uint8)

    labels = [label(pose(), name) for name in names]
    run = run_models({"x": Finder(pose(), 0)}, labels, topology, read=read)["x"]
    down = [found[0, 1] - pose()[0, 1] for found in run.in_roi if found is not None]
    np.testing.assert_allclose(down, [3, 0, 2, 1, 0], atol=1e-4)
    assert list(run.full.faces) == ["3.jpg", "0.jpg", "2.jpg", "1.jpg"]
