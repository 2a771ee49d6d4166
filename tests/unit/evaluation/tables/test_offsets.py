import math
from collections.abc import Callable

import numpy as np
from evaluated_faces import cells, scores_of

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.labels.groups import source_groups
from amesh.evaluation.tables.offsets import offset_rows, offset_section

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def test_mean_displacement_of_each_group(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose()), label(pose()), label(pose(), source="ours")]
    rows = offset_rows(
        labels, {"x": scores_of(1.0, 3.0, math.nan)}, source_groups(labels), Comparison("x", 9, 0)
    )
    assert [row.group for row in rows] == ["helen"]  # nothing is known of the other
    right, down = rows[0].offsets["x"]
    assert (right.value, down.value) == (2.0, -4.0)
    assert cells(offset_section(rows))[2][1].startswith("+2.00 (")
