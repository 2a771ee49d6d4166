"""300W-LP and AFLW2000-3D. 300W-LP has each face in many poses: all are held out, or none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import close, photo, save
from scipy.io import savemat

from amesh.data.sources.mat import read_mat_folder
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource
from amesh.data.sources.subset import held_out
from amesh.errors import UserError

STOP = Problems()


def folder_of(folder: Path, *names: str) -> ListSource:
    for name in names:
        save(folder / f"{name}.jpg", photo(20, 20))
        savemat(folder / f"{name}.mat", {"pt2d": np.full((2, 68), 9.0)})
    return read_mat_folder(folder, STOP)


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
def test_person_from_a_file_name(tmp_path: Path, name: str, person: str | None) -> None:
    [entry] = folder_of(tmp_path, name).entries
    assert (entry.key, entry.person) == (name, person)


def test_poses_and_mirrored_poses_are_held_out_together(tmp_path: Path) -> None:
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


def test_mat(tmp_path: Path, labels: Callable[..., np.ndarray]) -> None:
    expected = labels("ibug68", depth=True)
    one_based = expected + np.array([0.5, 0.5, 0.0])
    save(tmp_path / "a.jpg", photo())
    pose = np.array([[0.1, np.deg2rad(-47.0), 0.2, 3, 4, 5, 6]])
    savemat(tmp_path / "a.mat", {"pt3d_68": (one_based * [1, 1, -1]).T, "Pose_Para": pose})
    save(tmp_path / "b.jpg", photo())
    savemat(tmp_path / "b.mat", {"pt2d": one_based[:, :2].T})
    deep, flat = read_mat_folder(tmp_path, STOP).faces
    close(deep, expected)
    close(flat, expected[:, :2])
    assert (deep.scheme, deep.group, flat.group) == ("aflw2000_3d68", "yaw 30-60", "")


def test_a_pose_that_is_no_numbers_is_unknown(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", photo())
    points = {"pt2d": np.ones((2, 68))}
    savemat(tmp_path / "a.mat", {**points, "Pose_Para": np.array(["a", "b", "c"])})
    assert read_mat_folder(tmp_path, STOP)[0].group == ""


def test_bad_mat(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", photo())
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file" + b"\0" * 100)
    with pytest.raises(UserError, match=r"a\.mat: not a \.mat file"):
        read_mat_folder(tmp_path, STOP)
    savemat(tmp_path / "a.mat", {"points": np.zeros(3)})
    with pytest.raises(UserError, match="neither 'pt3d_68' nor 'pt2d'"):
        read_mat_folder(tmp_path, STOP)
    savemat(tmp_path / "a.mat", {"pt2d": np.zeros((2, 21))})
    with pytest.raises(UserError, match=r"a\.mat: 21 points, expected 68"):
        read_mat_folder(tmp_path, STOP)
