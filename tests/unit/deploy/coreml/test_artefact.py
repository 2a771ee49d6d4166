from pathlib import Path

import pytest
from own_interpreter import run_apart

from amesh.deploy import sidecar
from amesh.errors import UserError

pytest.importorskip("coremltools")
pytestmark = pytest.mark.slow  # two conversions of some seconds, in one interpreter

# Written twice, the second time over the first.
CODE = """
import json
import sys
from pathlib import Path
import torch
import small_networks
from amesh.deploy.coreml.artefact import coreml_artefact, convert
from amesh.deploy.export import export
from amesh.deploy.request import Request
from amesh.errors import UserError
from amesh.weights import store
folder = Path(sys.argv[1])
net = small_networks.networks()["released"]
store.save(net, folder / "mesh.safetensors", {})
package = folder / "mesh.mlpackage"
package.mkdir()
(package / "old").write_text("")
export(net, "coreml", package, say=print)

class Strange(torch.nn.Module):
    def forward(self, image):
        return (torch.special.bessel_j0(image),)

try:
    convert(Strange(), (1, 3, 8, 8), ("waves",), {})
except UserError as error:
    (folder / "strange.txt").write_text(str(error))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coreml")
    done = run_apart(CODE, folder)
    assert done.stderr == ""
    (folder / "said.txt").write_text(done.stdout)
    return folder


def test_a_package_agrees_with_pytorch(exported: Path):
    about = sidecar.read(exported / "mesh.mlpackage")
    assert (about.kind, about.layout, about.model) == ("coreml", "nchw", "released")
    assert about.parity["all"]["max"] < 1e-3
    assert about.inputs["image"].shape == (1, 3, 64, 64)
    assert set(about.outputs) == {"landmarks", "face_flag", "expected_error"}


def test_a_package_is_a_folder_that_is_replaced_as_a_whole(exported: Path):
    package = exported / "mesh.mlpackage"
    files = sorted(path.relative_to(package).as_posix() for path in package.rglob("*.*"))
    assert "Manifest.json" in files
    assert "Data/com.apple.CoreML/model.mlmodel" in files
    assert not (package / "old").exists()
    assert [path.name for path in exported.iterdir() if path.name.startswith(".")] == []
    weights = package / "Data/com.apple.CoreML/weights/weight.bin"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        with pytest.raises(UserError, match="damaged or replaced"):
            sidecar.read(package)
    finally:
        weights.write_bytes(content)


def test_a_package_says_what_goes_in_and_comes_out(exported: Path):
    content = (exported / "mesh.mlpackage/Data/com.apple.CoreML/model.mlmodel").read_bytes()
    for text in (b"RGB / 255, in [0, 1]", b"x, y and z of each landmark", b"face478"):
        assert text in content


def test_operators_that_coremltools_does_not_know_are_named(exported: Path):
    message = (exported / "strange.txt").read_text()
    assert message.startswith("coremltools cannot convert this network: ")
    assert "bessel_j0" in message
    assert "\n" not in message
