import sys
import types

import pytest
import torch

from amesh.cli import main
from amesh.errors import UserError
from amesh.training.tracking import Tracker, has_key
from amesh.training.upload import upload


@pytest.fixture
def no_key(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


class Wandb(types.ModuleType):
    """Stands for the package; records how runs were started."""

    def __init__(self, failing: tuple[str | None, ...] = ()) -> None:
        super().__init__("wandb")
        self.failing, self.modes, self.logged = failing, [], []

    def Settings(self, **options):
        return options

    def init(self, mode=None, **options):
        self.modes.append(mode)
        if mode in self.failing:
            raise ConnectionError("no network")
        return types.SimpleNamespace(log=self.logged.append, finish=lambda exit_code: None)


def test_a_key_is_found_in_the_environment_or_in_netrc(no_key, monkeypatch, tmp_path):
    assert not has_key()
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret\n")
    assert has_key()
    (tmp_path / "netrc").unlink()
    monkeypatch.setenv("WANDB_API_KEY", "x")
    assert has_key()


def test_without_a_key_the_run_is_offline(no_key, monkeypatch, tmp_path):
    wandb = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    tracker = Tracker(save_dir=str(tmp_path))
    tracker.log_metrics({"val/nme": 3.0}, step=7)
    assert wandb.modes == ["offline"]
    assert wandb.logged == [{"val/nme": 3.0, "trainer/global_step": 7}]


def test_without_a_network_it_goes_offline_and_says_so(monkeypatch, tmp_path):
    wandb = Wandb(failing=(None,))
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    tracker = Tracker(save_dir=str(tmp_path), offline=False)
    with pytest.warns(UserWarning, match="W&B: no network; recording offline"):
        tracker.log_metrics({"a": 1.0})
    assert wandb.modes == [None, "offline"]


def test_a_failure_is_reported_once_and_training_continues(monkeypatch, tmp_path):
    wandb = Wandb(failing=(None, "offline"))
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    tracker = Tracker(save_dir=str(tmp_path), offline=True)
    with pytest.warns(UserWarning, match=r"W&B: .*training goes on"):
        tracker.log_metrics({"a": 1.0})
    tracker.log_metrics({"a": 2.0})
    tracker.finalize("success")
    assert wandb.modes == ["offline"]


class Artifact:
    def __init__(self, name, type):
        self.name, self.kind = name, type

    def add_file(self, path):
        if "broken" in path:
            raise OSError("cannot be read")


@pytest.fixture
def kept(monkeypatch) -> list:
    """What a stand-in for W&B was given: name, kind and aliases of each artifact."""
    found = []

    def keep(artifact, aliases):
        found.append((artifact.name, artifact.kind, aliases))

    wandb = Wandb()
    wandb.Artifact = Artifact
    run = types.SimpleNamespace(log_artifact=keep, finish=lambda exit_code: None)
    monkeypatch.setattr(wandb, "init", lambda **options: run)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    return found


def test_files_become_artifacts_of_the_run_that_a_checkpoint_names(no_key, kept, tmp_path, capsys):
    checkpoint, export = tmp_path / "best.ckpt", tmp_path / "net.onnx"
    torch.save({"amesh": {"wandb": "abc"}}, checkpoint)
    export.write_bytes(b"x")
    assert main(["upload", str(checkpoint), str(export), "--save-dir", str(tmp_path)]) == 0
    assert kept == [
        ("best-abc", "checkpoint", ["latest"]),
        ("net-abc", "export", ["latest"]),
    ]
    text = capsys.readouterr().out
    assert "2 files recorded offline for run abc of amesh" in text
    assert "nothing has left this machine; `wandb sync" in text


@pytest.mark.parametrize("mode", ["online", "offline", "dryrun"])
def test_an_upload_says_whether_it_went_anywhere(kept, mode, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("WANDB_API_KEY", "x")
    monkeypatch.setenv("WANDB_MODE", mode)
    export = tmp_path / "net.onnx"
    export.write_bytes(b"x")
    assert main(["upload", str(export), "--run", "r", "--save-dir", str(tmp_path)]) == 0
    where = "uploaded to" if mode == "online" else "recorded offline for"
    assert f"1 files {where} run r" in capsys.readouterr().out
    assert len(kept) == 1


def test_an_upload_with_wandb_switched_off_ends_with_2(kept, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    export = tmp_path / "net.onnx"
    export.write_bytes(b"x")
    assert main(["upload", str(export), "--save-dir", str(tmp_path)]) == 2
    assert "nothing uploaded: WANDB_MODE=disabled" in capsys.readouterr().err
    assert not kept


def test_an_upload_that_fails_says_so(no_key, kept, monkeypatch, tmp_path, capsys):
    first, second = tmp_path / "net.onnx", tmp_path / "broken.onnx"
    for path in (first, second):
        path.write_bytes(b"x")
    assert main(["upload", str(first), str(second), "--save-dir", str(tmp_path)]) == 1
    assert "1 of 2 files handed to W&B before it failed" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "wandb", Wandb(failing=("offline",)))
    assert main(["upload", str(first), "--save-dir", str(tmp_path)]) == 2
    text = capsys.readouterr().out
    assert "W&B: no network" in text
    assert "training goes on" not in text
    assert main(["upload", str(tmp_path / "none.onnx")]) == 2
    assert "none.onnx: no such file to upload" in capsys.readouterr().err


def test_only_networks_that_may_be_released_get_the_alias(no_key, kept, tmp_path):
    free, bound = tmp_path / "free.ckpt", tmp_path / "bound.ckpt"
    torch.save({"amesh": {"licences": {"CC0": 9}}}, free)
    torch.save({"amesh": {"licences": {"CC0": 9, "CC-BY-NC-4.0": 1}}}, bound)
    assert upload([free], "amesh", "r", tmp_path, release=True) == 0
    assert kept == [("free-r", "checkpoint", ["latest", "release"])]
    with pytest.raises(UserError, match=r"bound\.ckpt: .*CC-BY-NC-4\.0$"):
        upload([free, bound], "amesh", "r", tmp_path, release=True)
    assert len(kept) == 1
