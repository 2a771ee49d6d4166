from collections.abc import Callable
from pathlib import Path

import numpy as np
from labelled_pictures import write_pts

from amesh.data.sources.keys import picture_of
from amesh.data.sources.problems import Problems
from amesh.data.sources.pts import read_pts_folder

STOP = Problems()


def test_the_number_in_a_file_name_does_not_join_pictures(
    tmp_path: Path, labels: Callable[..., np.ndarray]
) -> None:
    for number in range(3):
        write_pts(tmp_path / "Shoot #3" / f"photo #{number}.pts", labels("ibug68"))
    keys = [entry.key for entry in read_pts_folder(tmp_path, STOP).entries]
    assert [picture_of(key) for key in keys] == [f"Shoot #3/photo #{n}" for n in range(3)]
