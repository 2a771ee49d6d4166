"""300W-LP and AFLW2000-3D: `.mat` files beside their pictures, 68 points projected from 3-D.

Convention:
    - MATLAB counts pixels from 1: half a pixel is subtracted
    - z is negated: in the files, larger values are nearer to the camera; here, smaller ones are
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from amesh.data.sources.coordinates import Coordinates, offset
from amesh.data.sources.files import beside, list_files
from amesh.data.sources.keys import only_face_key
from amesh.data.sources.labelled_face import LabelledFace, check_points
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource, finish
from amesh.errors import UserError, how_to_install

_POINTS = 68
# 300W-LP renders each face in many poses, also mirrored: AFW_134212_1_3 is pose 3.
_POSE = re.compile(r"((?:AFW|HELEN|IBUG|LFPW)_.+)_\d+")


def read_mat_folder(
    folder: Path,
    problems: Problems,
    coordinates: Coordinates = "one",
    licence: str | None = None,
) -> ListSource:
    """Reads a folder and its sub-folders.

    Args:
        folder: Folder of `.mat` files, each with a picture of the same name.
        problems: Handles damaged files.
        coordinates: Convention of the coordinates.
        licence: Licence of the pictures.

    Raises:
        UserError: The folder is missing or has no usable file, or a file is damaged.
    """
    faces = []
    for path in list_files(folder, ".mat"):
        with problems.guard():
            content = _load(path)
            faces.append(
                LabelledFace(
                    picture=beside(path),
                    scheme="aflw2000_3d68",
                    points=_points(content, str(path), offset(coordinates)),
                    source=folder.name,
                    key=only_face_key(path.relative_to(folder).with_suffix("").as_posix()),
                    where=str(path),
                    licence=licence,
                    group=_pose(content),
                    person=_person(path.stem),
                )
            )
    return finish(str(folder), faces, problems)


def _load(path: Path) -> dict[str, Any]:
    try:
        from scipy.io import loadmat
    except ImportError:
        how = how_to_install("train")
        raise UserError(f"{path}: .mat files need SciPy: {how}") from None
    try:
        content: dict[str, Any] = loadmat(path)
    except Exception as error:  # SciPy raises many types of errors on damaged data
        raise UserError(f"{path}: not a .mat file that can be read ({error})") from error
    return content


def _points(content: dict[str, Any], where: str, offset: float) -> np.ndarray:
    name = next((key for key in ("pt3d_68", "pt2d") if key in content), None)
    if name is None:
        raise UserError(f"{where}: has neither 'pt3d_68' nor 'pt2d'")
    points = check_points(np.asarray(content[name]).T, where, _POINTS).copy()
    points[:, :2] += np.float32(offset)
    points[:, 2:] *= -1
    return points


def _person(stem: str) -> str | None:
    """Returns the face that several files show, in any folder; None if only one file shows it."""
    match = _POSE.fullmatch(stem)
    return None if match is None else match[1]


def _pose(content: dict[str, Any]) -> str:
    """Returns the group by yaw; `Pose_Para` starts with pitch, yaw and roll [radians]."""
    pose = np.asarray(content.get("Pose_Para", [])).ravel()
    if len(pose) < 3 or pose.dtype.kind not in "iuf" or not math.isfinite(pose[1]):
        return ""
    yaw = abs(math.degrees(float(pose[1])))
    first = min(int(yaw // 30), 2) * 30
    return f"yaw {first}-{first + 30}"
