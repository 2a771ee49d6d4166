"""300W-LP has each face in many poses: none may be held out while others are trained on."""

from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import photo, save
from scipy.io import savemat

from amesh.data.sources.mat import read_mat_folder
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource
from amesh.data.sources.subset import held_out


def folder_of(folder: Path, *names: str) -> ListSource:
    for name in names:
        save(folder / f"{name}.jpg", photo(20, 20))
        savemat(folder / f"{name}.mat", {"pt2d": np.full((2, 68), 9.0)})
    return read_mat_folder(folder, Problems())


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("AFW_134212_1_3", "AFW_134212_1"),
        ("AFW_134212_2_17", "AFW_134212_2"),
        ("HELEN_100032540_1_0", "HELEN_100032540_1"),
        ("IBUG_image_003_1_0", "IBUG_image_003_1"),
        ("LFPW_image_test_0001_10", "LFPW_image_test_0001"),
        ("image00002", None),  # AFLW2000-3D: a file a photo
        ("image_0007", None),  # numbers of other sets count photos, not poses
    ],
)
def test_who_a_file_shows(tmp_path: Path, name: str, person: str | None) -> None:
    [entry] = folder_of(tmp_path, name).entries
    assert (entry.key, entry.person) == (name, person)


def test_poses_and_mirrored_ones_are_held_out_together(tmp_path: Path) -> None:
    names = [
        f"{part}/AFW_{photo_}_1_{pose}"
        for part in ("AFW", "AFW_Flip")
        for photo_ in range(20)
        for pose in range(3)
    ]
    parts = held_out(folder_of(tmp_path, *names), 0.5)
    faces = [{entry.key.split("/")[1].rpartition("_")[0] for entry in p.entries} for p in parts]
    assert all(faces)
    assert not faces[0] & faces[1]
    assert len(faces[0] | faces[1]) == 20
