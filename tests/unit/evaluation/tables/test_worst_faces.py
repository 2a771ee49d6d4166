from collections.abc import Callable

import cv2
import numpy as np

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.scores import score_matched
from amesh.evaluation.tables.worst_faces import worst_sheet
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def test_sheet_shows_the_worst_faces_with_labels_and_predictions(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    labels = [label(pose(), f"{i}.png") for i in range(3)]
    labels += [label(pose(), scheme=None, points=np.zeros((0, 2)))]
    faces = [pose() + np.array([off, 0.0, 0.0]) for off in (1.0, 9.0, 3.0, 0.0)]
    read: list[str] = []

    def black(path: object) -> np.ndarray:
        read.append(str(path))
        return np.zeros((180, 200, 3), np.uint8)

    scores = score_matched(labels, faces, topology)
    content = worst_sheet(labels, scores, [*faces[:3], None], 2, topology, black)
    assert content is not None
    assert read == ["1.png", "2.png"]
    sheet = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    green = (sheet[..., 1] > 200) & (sheet[..., 0] < 150) & (sheet[..., 2] < 150)
    assert green.sum() > 200  # the labels' dots
    coral = (sheet[..., 0] > 200) & (sheet[..., 1] < 150)
    assert coral.sum() > 20  # the lips' line
    nobody = score_matched(labels, [None] * 4, topology)
    assert worst_sheet(labels, nobody, [None] * 4, 2, topology, black) is None
