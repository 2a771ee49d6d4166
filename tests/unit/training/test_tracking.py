import sys
import types

import pytest
import torch

from amesh.cli import main
from amesh.training.tracking import Tracker, has_key


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


def test_whatever_fails_is_said_once_and_training_goes_on(monkeypatch, tmp_path):
    wandb = Wandb(failing=(None, "offline"))
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    tracker = Tracker(save_dir=str(tmp_path), offline=True)
    with pytest.warns(UserWarning, match="W&B: no network; training goes on without it"):
        tracker.log_metrics({"a": 1.0})
    tracker.log_metrics({"a": 2.0})
    tracker.finalize("success")
    assert wandb.modes == ["offline"]


def test_files_become_artifacts_of_the_run_that_a_checkpoint_names(
    no_key, monkeypatch, tmp_path, capsys
):
    kept = []

    class Artifact:
        def __init__(self, name, type):
            self.name, self.kind, self.files = name, type, []

        def add_file(self, path):
            self.files.append(path)

    wandb = Wandb()
    wandb.Artifact = Artifact
    run = types.SimpleNamespace(log_artifact=kept.append, finish=lambda exit_code: None)
    monkeypatch.setattr(wandb, "init", lambda **options: run)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    checkpoint, export = tmp_path / "best.ckpt", tmp_path / "net.onnx"
    torch.save({"amesh": {"wandb": "abc"}}, checkpoint)
    export.write_bytes(b"x")
    assert main(["upload", str(checkpoint), str(export), "--save-dir", str(tmp_path)]) == 0
    assert [(one.name, one.kind) for one in kept] == [
        ("best-abc", "checkpoint"),
        ("net-abc", "export"),
    ]
    assert "2 files recorded offline for run abc of amesh" in capsys.readouterr().out


def test_an_upload_that_fails_says_so_and_ends_with_1(no_key, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "wandb", Wandb(failing=("offline",)))
    export = tmp_path / "net.onnx"
    export.write_bytes(b"x")
    assert main(["upload", str(export), "--save-dir", str(tmp_path)]) == 1
    assert "W&B: no network" in capsys.readouterr().out
    assert main(["upload", str(tmp_path / "none.onnx")]) == 2
    assert "none.onnx: no such file to upload" in capsys.readouterr().err
