import pytest
import torch

from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.training.origin import check_release, refused_terms, started_from
from amesh.weights import store

FREE = {"licences": {"CC0-1.0": 10}}
BOUND = {"licences": {"CC0": 3, "research only": 2}}


def test_imported_and_trained_weights_state_their_terms():
    assert refused_terms({"licence": "Apache-2.0"}) == []
    assert refused_terms(FREE) == []
    assert refused_terms(BOUND) == ["research only"]


def test_what_is_not_known_is_no():
    assert refused_terms({}) == refused_terms({"licences": {}}) == ["not stated"]
    assert refused_terms({"licences": {"not stated": 4}}) == ["not stated"]


def test_what_they_started_from_binds_them_too():
    assert refused_terms({**FREE, "warm_start": BOUND}) == ["research only"]
    assert refused_terms({**FREE, "warm_start": {**FREE, "warm_start": BOUND}}) == ["research only"]
    assert refused_terms({**FREE, "warm_start": FREE}) == []


def test_the_terms_of_every_averaged_network_bind():
    assert refused_terms({"averaged": [FREE, FREE]}) == []
    assert refused_terms({"averaged": [FREE, {**FREE, "warm_start": BOUND}]}) == ["research only"]
    assert refused_terms({"averaged": [FREE, {}]}) == ["not stated"]
    assert refused_terms({**FREE, "warm_start": {"averaged": [BOUND]}}) == ["research only"]


def test_a_release_is_refused_by_what_a_file_says(tmp_path):
    net = AttentionMesh(NAMED["tiny-128"])
    path = tmp_path / "mine.safetensors"
    store.save(net, path, FREE)
    check_release(path)
    store.save(net, path, {**FREE, "warm_start": BOUND})
    with pytest.raises(UserError, match=r"mine\.safetensors: .*research only$"):
        check_release(path)
    torch.save({"amesh": BOUND}, tmp_path / "best.ckpt")
    with pytest.raises(UserError, match=r"best\.ckpt: .*research only$"):
        check_release(tmp_path / "best.ckpt")
    with pytest.raises(UserError, match=r"net\.onnx: .*\.safetensors"):
        check_release(tmp_path / "net.onnx")


def test_weights_to_start_from_are_named_without_their_folder(tmp_path):
    path = tmp_path / "mine.safetensors"
    store.save(AttentionMesh(NAMED["tiny-128"]), path, {"source": "here", **FREE})
    assert started_from(str(path)) == {"weights": "mine", "source": "here", **FREE}
