import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.numpy
import safetensors.torch
import torch

import amesh.topology
from amesh.blazeface.config import SHORT, DetectorConfig
from amesh.blazeface.network import build_detector
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED
from amesh.nn.mesh_only import MeshOnly
from amesh.weights import store
from amesh.weights.info import describe, macs_by_part, parameters_by_part

TINY = NAMED["tiny-128"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMESH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that comes without weights."""
    monkeypatch.setattr(store, "_SHIPPED", tmp_path / "shipped")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "mine.safetensors"
    store.save(AttentionMesh(TINY), path, {"source": "a test"})
    return path


@pytest.mark.parametrize("kind", [AttentionMesh, MeshOnly, Cascade])
def test_a_network_survives_the_disk(kind, tmp_path: Path):
    net = kind(replace(TINY, batch_norm=True)).eval()
    path = tmp_path / "net.safetensors"
    store.save(net, path, {"source": "a test"})
    again = store.load(path)
    assert type(again) is kind
    assert again.config == replace(net.config, name="net")
    assert not again.training
    image = torch.rand(1, 3, 128, 128)
    assert torch.equal(net(image).landmarks, again(image).landmarks)
    assert store.header(path)["origin"] == {"source": "a test"}


def test_a_scheme_of_its_own_travels_with_the_weights(tmp_path: Path, monkeypatch):
    scheme = tmp_path / "here" / "own.json"
    scheme.parent.mkdir()
    shipped = Path(amesh.topology.__file__).parent / "schemes" / "ibug68.json"
    scheme.write_text(shipped.read_text().replace('"name": "ibug68"', '"name": "own68"'))
    monkeypatch.chdir(scheme.parent)
    net = AttentionMesh(replace(TINY, topology="own.json"))
    path = tmp_path / "own.safetensors"
    store.save(net, path, {})
    monkeypatch.chdir(tmp_path)
    scheme.unlink()
    assert store.load(path).config.load_topology().name == "own68"


def test_a_network_is_called_as_its_training_or_else_its_file(cache: Path, tmp_path: Path):
    net = AttentionMesh(TINY)
    file, plain = cache / "weights" / "mine.safetensors", tmp_path / "plain.safetensors"
    trained = tmp_path / "network.safetensors"
    store.save(net, trained, {}, name="my-run")
    store.save(net, plain, {})
    store.save(net, file, {}, name="my-run")
    names = [store.load(one).config.name for one in (trained, plain, file, "mine")]
    assert names == ["my-run", "plain", "mine", "mine"]
    assert "AttentionMesh my-run" in describe(str(trained))
    assert net.config.name == "tiny-128"  # as it was


def test_a_detectors_name_stays_its_kind(cache: Path):
    path = cache / "weights" / "detector-near.safetensors"
    store.save(build_detector(SHORT), path, {})
    assert store.load("detector-near").config.name == "short"


def test_half_precision_weights_load_as_single(saved: Path, tmp_path: Path):
    net = store.load(saved)
    small = tmp_path / "half.safetensors"
    store.save(net, small, {}, half=True)
    assert small.stat().st_size < 0.6 * saved.stat().st_size
    loaded = store.load(small)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    for name, tensor in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float()), name
    assert {p.dtype for p in net.parameters()} == {torch.float32}  # as it was


def test_counters_are_not_halved(tmp_path: Path):
    net = AttentionMesh(replace(TINY, batch_norm=True))
    counters = {name for name, value in net.state_dict().items() if value.dtype == torch.int64}
    assert counters
    for name in counters:
        net.get_buffer(name).fill_(70_001)  # beyond 16 bits
    path = tmp_path / "half.safetensors"
    store.save(net, path, {}, half=True)
    state = store.load(path).state_dict()
    assert {int(state[name]) for name in counters} == {70_001}


def test_a_number_beyond_16_bits_is_refused(saved: Path, tmp_path: Path):
    net = store.load(saved)
    with torch.no_grad():
        net.shared.stem.convolution.weight[0, 0, 0, 0] = 1e5
    path = tmp_path / "half.safetensors"
    with pytest.raises(UserError, match=r"shared\.stem\.convolution\.weight"):
        store.save(net, path, {}, half=True)
    assert not path.exists()


def test_the_hash_is_that_of_the_file(cache: Path, saved: Path):
    expected = hashlib.sha256(saved.read_bytes()).hexdigest()
    assert store.file_hash(saved) == expected
    target = cache / "weights" / "mine.safetensors"
    target.parent.mkdir(parents=True)
    saved.rename(target)
    assert store.file_hash("mine") == expected
    with pytest.raises(UserError, match="no weights named 'yours'"):
        store.file_hash("yours")


def test_names_are_looked_up_in_the_cache(cache: Path, saved: Path, nothing_shipped: None):
    with pytest.raises(UserError, match=r"'mine'.*nothing yet"):
        store.load("mine")
    target = cache / "weights" / "mine.safetensors"
    target.parent.mkdir(parents=True)
    saved.rename(target)
    assert store.load("mine").config == replace(TINY, name="mine")
    with pytest.raises(UserError, match=r"'yours'.*mine"):
        store.load("yours")


def test_weights_that_came_with_the_package_need_no_cache(
    cache: Path, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "_SHIPPED", tmp_path)
    assert store.installed() == {"mine": saved}
    assert store.load("mine").config == replace(TINY, name="mine")
    cached = cache / "weights" / "other.safetensors"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(saved.read_bytes())
    assert store.installed() == {"other": cached, "mine": saved}


def test_a_file_of_another_kind_is_called_so(tmp_path: Path):
    file, folder = tmp_path / "face.onnx", tmp_path / "face.mlpackage"
    file.touch()
    folder.mkdir()
    for path in (file, folder):
        with pytest.raises(UserError, match=rf"{path.name}: not a weights file; "):
            store.find(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"no weights file .*none\.safetensors"):
        store.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize("kept", [0, 6, 1000, -1000])
def test_a_truncated_file_is_damaged(saved: Path, kept: int):
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"mine\.safetensors: damaged"):
        store.load(saved)


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path):
    path = tmp_path / "foreign.safetensors"
    safetensors.torch.save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="not written by amesh"):
        store.load(path)


@pytest.mark.parametrize("text", ["{not json", "{}", "[]", '{"architecture": "AttentionMesh"}'])
def test_a_damaged_header_is_named(tmp_path: Path, text: str):
    path = tmp_path / "odd.safetensors"
    safetensors.torch.save_file({"x": torch.zeros(1)}, path, {"amesh": text})
    with pytest.raises(UserError, match=r"odd\.safetensors: .*header"):
        store.header(path)


def test_a_detector_config_is_checked():
    with pytest.raises(UserError, match="detector config: "):
        DetectorConfig.from_dict({"nam": "short"})


def test_weights_of_another_shape_are_refused(tmp_path: Path):
    net = AttentionMesh(TINY)
    net.config = replace(TINY, depth=1)
    path = tmp_path / "net.safetensors"
    store.save(net, path, {})
    with pytest.raises(UserError, match="weights do not fit their own config"):
        store.load(path)


def test_a_flipped_bit_is_noticed(saved: Path):
    whole = saved.read_bytes()
    for place in (whole.index(b'\\"sampler\\": \\"affine') + 15, len(whole) // 2, len(whole) - 1):
        content = bytearray(whole)
        content[place] ^= 1
        saved.write_bytes(content)
        with pytest.raises(UserError, match=r"mine\.safetensors: damaged: "):
            store.load(saved)


def test_a_checksum_under_a_damaged_name_is_noticed(saved: Path):
    content = saved.read_bytes()
    saved.write_bytes(content.replace(b'"checksum"', b'"checksui"'))
    with pytest.raises(UserError, match=r"mine\.safetensors: damaged.* unknown entry 'checksui'"):
        store.load(saved)


def test_a_file_of_an_earlier_version_has_no_checksum_and_loads(saved: Path):
    net = store.load(saved)
    with safetensors.safe_open(saved, "pt") as file:
        about = {"amesh": file.metadata()["amesh"]}
    safetensors.torch.save_file(net.state_dict(), saved, about)
    assert torch.equal(store.load(saved).mesh.head.points.bias, net.mesh.head.points.bias)


def test_numbers_that_numpy_does_not_have_are_read_as_floats(saved: Path):
    net = store.load(saved)
    with safetensors.safe_open(saved, "pt") as file:
        about = {"amesh": file.metadata()["amesh"]}
    rounded = {name: tensor.bfloat16() for name, tensor in net.state_dict().items()}
    safetensors.torch.save_file(rounded, saved, about)
    for name, tensor in store.load(saved).state_dict().items():
        assert torch.equal(tensor, rounded[name].float())


@pytest.mark.parametrize(
    "change", [{"depth": 200_000}, {"widths": [512] * 6}, {"regions": {"lips": 3}}], ids=str
)
def test_a_config_that_cannot_be_built_is_refused(saved: Path, change: dict):
    about = store.header(saved)
    about["config"] |= change
    tensors = store.tensors(saved)
    safetensors.numpy.save_file(tensors, saved, {"amesh": json.dumps(about)})
    with pytest.raises(UserError, match=r"0 to 16|cannot narrow|regions"):
        store.load(saved)


@pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, number: float):
    net = AttentionMesh(TINY)
    with torch.no_grad():
        net.shared.stem.convolution.weight[0, 0, 0, 0] = number
    path = tmp_path / "net.safetensors"
    store.save(net, path, {})
    with pytest.raises(UserError, match=r"stem\.convolution\.weight has a number that is"):
        store.load(path)


def test_an_unwritable_folder_is_named(saved: Path, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file: .* not a folder"):
        store.save(store.load(saved), tmp_path / "file" / "net.safetensors", {})


def test_an_interrupted_save_leaves_the_old_file_whole(saved: Path, monkeypatch):
    before = saved.read_bytes()

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.save(store.load(saved), saved, {})
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir() if p.is_file()] == ["mine.safetensors"]


def test_counts_of_the_released_member():
    net = AttentionMesh(NAMED["released-192"])
    assert sum(parameters_by_part(net).values()) == 1_189_277
    macs = macs_by_part(net, torch.zeros(1, 3, 192, 192))
    assert sum(macs.values()) == pytest.approx(43.5e6, rel=2e-3)
    # By hand: stem 96 * 96 * 16 * 27, two residual blocks, one down block to 48 x 48 x 32.
    residual = 96 * 96 * 16 * (9 + 16)
    assert macs["shared"] == 96 * 96 * 16 * 27 + 2 * residual + 48 * 48 * 16 * (9 + 32)


def test_info_describes_files_and_members(saved: Path):
    assert "source      a test" in describe(str(saved))
    text = describe("tiny-128")  # a member that has no weights
    assert "not trained" in text
    assert f"crop_size      {TINY.crop_size}\n" in text
    with pytest.raises(UserError, match=r"'big'.*paper-256, released-192"):
        describe("big")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("detector-short", r"\(run `amesh weights import`\)$"),
        ("face-landmarker-v2", r"\(run `amesh weights import face-landmarker`\)$"),
        ("face-blendshapes", r"installed: paper-256$"),  # its file is kept, but it has no weights
        ("foo", r"installed: paper-256$"),
    ],
)
@pytest.mark.usefixtures("empty_cache")
def test_what_can_be_imported_is_said_by_which_command(name: str, hint: str):
    with pytest.raises(UserError, match=hint):
        store.find(name)
