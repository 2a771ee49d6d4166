import math
from collections.abc import Callable

import numpy as np
import pytest
from evaluated_faces import cells, scores_of

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.labels.groups import source_groups
from amesh.evaluation.tables.detection import detection_rows, detection_section

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def test_share_of_faces_found_in_each_group(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose()), label(pose()), label(pose(), source="lfpw")]
    rows = detection_rows(
        labels, {"x": scores_of(1.0, math.nan, 2.0)}, source_groups(labels), Comparison("x", 9, 0)
    )
    found = {row.group: (row.labelled, row.rates["x"].value) for row in rows}
    assert found["helen"] == (2, 50.0)
    assert found["lfpw"] == (1, 100.0)
    assert found["in the wild"] == (3, pytest.approx(200 / 3))
    assert cells(detection_section(rows))[3] == ["helen", "50.00 (1 of 2)"]
