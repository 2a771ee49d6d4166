from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import close, photo, save

from amesh.data.sources.face_synthetics import read_face_synthetics
from amesh.data.sources.problems import Problems
from amesh.errors import UserError

STOP = Problems()


def test_face_synthetics(tmp_path: Path, labels: Callable[..., np.ndarray]) -> None:
    expected = labels("face_synthetics70")
    save(tmp_path / "000000.png", photo())
    save(tmp_path / "000000_seg.png", photo())
    np.savetxt(tmp_path / "000000_ldmks.txt", expected - 0.5)
    [record] = read_face_synthetics(tmp_path, STOP).faces
    close(record, expected)
    assert (record.key, record.licence) == ("000000", "research-only")
    np.savetxt(tmp_path / "000000_ldmks.txt", expected[:60])
    with pytest.raises(UserError, match=r"000000_ldmks\.txt: 60 .*70"):
        read_face_synthetics(tmp_path, STOP)
