from pathlib import Path

import pytest

from amesh.deploy.artefact import Artefact, write
from amesh.errors import UserError


def made() -> Artefact:
    return Artefact(b"net", lambda _: {}, {}, {}, "nchw", (), beside={"{stem}.bin": b"weights"})


def write_to(path: Path) -> None:
    write(made(), path, "openvino", "", model="net", precision="fp32", parity={})


def test_a_file_does_not_overwrite_the_one_beside_it(tmp_path: Path):
    with pytest.raises(UserError, match=r"net\.bin: the name of a file that belongs beside it"):
        write_to(tmp_path / "net.bin")
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_beside_a_file_that_cannot_be(tmp_path: Path):
    (tmp_path / "net.xml").mkdir()
    with pytest.raises(UserError, match=r"net\.xml: a folder; name a file to write to"):
        write_to(tmp_path / "net.xml")
    assert [file.name for file in tmp_path.iterdir()] == ["net.xml"]


def test_both_files_and_the_sidecar_are_written(tmp_path: Path):
    write_to(tmp_path / "net.xml")
    assert (tmp_path / "net.xml").read_bytes() == b"net"
    assert (tmp_path / "net.bin").read_bytes() == b"weights"
    assert (tmp_path / "net.xml.json").is_file()
