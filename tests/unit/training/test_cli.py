import errno
import warnings

import pytest
import torch
import yaml
from drawn_faces import write_faces

from amesh.errors import UserError
from amesh.training import cli
from amesh.training.parser import parsed
from amesh.training.settings import conf_folder, named_configs

CONF = conf_folder()
# A configuration stands alone, a fragment in a folder is laid over one; sweeps are W&B's, and
# ablations have tests of their own.
WHOLE = sorted(path.stem for path in CONF.glob("*.yaml"))
FRAGMENTS = sorted(
    path.relative_to(CONF).with_suffix("").as_posix()
    for path in CONF.glob("*/*.yaml")
    if path.parent.name not in ("sweeps", "ablation")
)


def parse(*words: str):
    return parsed(words)


def test_the_configurations_of_the_design_are_there():
    assert {"quick", "paper", "fine_tune", "cascade", "mesh_only"} <= set(WHOLE)
    folders = {fragment.split("/")[0] for fragment in FRAGMENTS}
    assert {"model", "data", "trainer", "logger", "debug"} <= folders


@pytest.mark.parametrize("name", WHOLE)
def test_each_configuration_parses(name):
    config = parse("fit", "--config", name)
    assert config.trainer.max_steps > 0


@pytest.mark.parametrize("name", FRAGMENTS)
def test_each_fragment_parses_over_a_configuration(name):
    config = parse("fit", "--config", "paper", "--config", name)
    plain = name == "model/face_landmarker_v2"
    assert config.model.architecture == ("PlainMesh" if plain else "AttentionMesh")


def test_baselines_have_the_budget_of_the_attention_mesh():
    wholes = {
        name: yaml.safe_load((CONF / f"{name}.yaml").read_text())
        for name in ("paper", "cascade", "mesh_only")
    }
    architectures = [whole["model"].pop("architecture") for whole in wholes.values()]
    assert architectures == ["AttentionMesh", "Cascade", "MeshOnly"]
    assert wholes["paper"] == wholes["cascade"] == wholes["mesh_only"]


def test_named_networks_are_those_of_the_package():
    from amesh.nn.config import NAMED, MeshConfig

    for path in (CONF / "model").glob("*_[0-9]*.yaml"):
        network = yaml.safe_load(path.read_text())["model"]["network"]
        assert MeshConfig.from_dict(network) == NAMED[network["name"]]


def test_the_sweep_varies_settings_that_exist():
    sweep = yaml.safe_load((CONF / "sweeps" / "learning_rate.yaml").read_text())
    values = {name: p.get("values", [p.get("min")])[0] for name, p in sweep["parameters"].items()}
    config = parse(
        "fit", "--config", "paper", *(f"--{name}={value}" for name, value in values.items())
    )
    assert config.model.optimiser.learning_rate == 0.0003


def test_a_later_word_wins():
    config = parse("fit", "--config", "quick", "--config=trainer/ddp")
    assert config.trainer.strategy == "ddp"
    assert config.trainer.max_steps == 600


def test_an_unknown_configuration_is_refused_with_those_there_are():
    with pytest.raises(UserError, match=r"no configuration 'quik'.*paper.*quick") as caught:
        named_configs(["fit", "--config", "quik"])
    assert "sweeps" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (
            "--model.optimiser.learning_rate=abc",
            "model.optimiser.learning_rate: expected float, got abc",
        ),
        (
            "--model.optimiser.learning_rat=1",
            "no setting 'model.optimiser.learning_rat' (did you mean "
            "model.optimiser.learning_rate?); `--help` lists them all",
        ),
        ("--nonsense=1", "no setting 'nonsense'; `--help` lists them all"),
        (
            "--data.train=[{pth: x}]",
            "data.train: expected a path, or a list of paths and of mappings with the keys path, "
            "format, images, scheme, coordinates, licence, repeat, only, without, outside, "
            "correction; got [{pth: x}]",
        ),
        ("--trainer.logger=no.Logger", "trainer.logger: No module named 'no', got no.Logger"),
        (
            "--trainer.limit_val_batches=x",
            "trainer.limit_val_batches: expected int or float or null, got x",
        ),
        ("--worst.count=-1", "worst: count is -1; expected 0 or more faces"),
    ],
)
def test_a_setting_that_is_refused_is_one_line(word, expected, capsys):
    assert cli.main(["fit", "--config", "quick", word]) == 2
    assert f"amesh: {expected}" in capsys.readouterr().err.splitlines()


def test_a_setting_in_a_file_is_refused_as_one_on_the_command_line(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("model: {optimiser: {learning_rat: 1}}")
    expected = r"^no setting 'model\.optimiser\.learning_rat' \(did you mean .*learning_rate\?"
    with pytest.raises(UserError, match=expected):
        parse("fit", "--config", "quick", "--config", str(own))


def test_one_seed_governs_and_a_part_may_have_its_own():
    def seeds(*words: str) -> tuple[int, int]:
        config = parse("fit", "--config", "quick", *words)
        return config.data.seed, config.model.seed

    assert seeds() == (0, 0)
    assert seeds("--seed_everything=7") == (7, 7)
    assert seeds("--seed_everything=7", "--data.seed=3") == (3, 7)
    assert seeds("--seed_everything=false", "--model.seed=5") == (0, 5)


def test_users_own_files_are_taken_as_they_are(tmp_path):
    own = tmp_path / "quick.yaml"
    own.write_text("{}")
    assert named_configs(["fit", "-c", str(own)]) == ["fit", "-c", str(own)]


def test_help_tells_every_setting(capsys):
    with pytest.raises(SystemExit, match="0"):
        parsed(["fit", "--help"])
    text = capsys.readouterr().out
    for setting in ("--model.network.input_size", "--model.losses.wing_width", "--averaging.decay"):
        assert setting in text


def test_what_users_asked_for_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cli.quieten()
        warnings.warn("Total length of `list` across ranks is zero. Please", stacklevel=1)
        warnings.warn("Checkpoint directory a exists and is not empty.", stacklevel=1)


@pytest.mark.parametrize("under", ["paper", "quick", "fine_tune"])
def test_groups_of_data_say_all_that_they_stand_for(under):
    def composed(group: str):
        return parsed(["fit", "--config", under, "--config", f"data/{group}"]).data

    shards = composed("shards")
    assert (shards.synthetic.faces, shards.synthetic.val) == (0, 0)
    assert [str(source.path) for source in shards.train] == ["shards"]
    synthetic = parsed(
        ["fit", "--config", under, "--config", "data/shards", "--config", "data/synthetic"]
    ).data
    for found in (composed("synthetic"), synthetic):
        assert list(found.train) == []
        assert found.hold_out == 0
        assert found.synthetic.fresh
        assert found.synthetic.faces > 0


def test_a_set_in_a_file_is_refused_by_its_key(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("data: {train: [{pth: x}]}")
    with pytest.raises(UserError, match=r"data\.train: Option 'pth' is not accepted"):
        parse("fit", "--config", str(own))


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ("shards", ["shards"]),
        ("[a, b.jsonl]", ["a", "b.jsonl"]),
        ("[a, {path: b, repeat: 2}]", ["a", "b"]),
        ("[{path: b, repeat: 2}]", ["b"]),
        ("[]", []),
    ],
)
def test_a_set_is_a_path_or_a_mapping(value, paths):
    built = cli.TrainingCLI("fit", ["--config", "quick", f"--data.train={value}"])
    sets = built.datamodule.configs["train"]
    assert [(str(one.path), one.repeat) for one in sets] == [
        (path, 2.0 if path == "b" else 1.0) for path in paths
    ]


def test_the_help_begins_with_the_configurations_and_our_settings(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["fit", "--help"])
    text = capsys.readouterr().out
    places = [
        text.index(one)
        for one in ("quick", "trainer/gpu", "--model.network", "--data.hold_out", "--trainer.")
    ]
    assert places == sorted(places)
    assert len(text.split("\n\n")[0].splitlines()) == 1  # the usage is a line


def test_each_verb_has_the_arguments_of_its_own(capsys):
    for verb, has in (("fit", False), ("validate", True), ("test", True)):
        with pytest.raises(SystemExit, match="0"):
            parse(verb, "--help")
        assert ("--verbose" in capsys.readouterr().out) == has


@pytest.mark.parametrize("verb", ["fit", "validate", "test"])
def test_a_training_without_a_configuration_is_asked_for_one(verb, capsys):
    assert cli.main([verb]) == 2
    assert capsys.readouterr().err == (
        "amesh: which training? give --config NAME, such as quick or fine_tune; "
        f"`amesh {verb} --help` lists them\n"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_reported_with_what_to_do(capsys):
    assert cli.main(["fit", "--config", "quick", "--trainer.accelerator=gpu"]) == 2
    assert "amesh: no GPU was found; leave out --config trainer/gpu" in capsys.readouterr().err


def test_too_few_faces_leave_no_folder_behind(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    shards = write_faces(tmp_path / "shards", 5)
    words = ["--config", "quick", "--data.synthetic.faces=0", "--data.synthetic.val=0"]
    assert cli.main(["fit", *words, f"--data.train={shards}", "--data.hold_out=0.2"]) == 2
    said = capfd.readouterr().err
    assert "samples are too few for batches of" in said
    assert "to validate on" not in said
    assert not (tmp_path / "logs").exists()


def test_a_disk_that_fills_up_is_one_line(monkeypatch, capsys):
    def run(built):
        raise OSError(errno.ENOSPC, "No space left on device", "metrics.csv")

    monkeypatch.setattr(cli.TrainingCLI, "run", run)
    assert cli.main(["fit", "--config", "quick"]) == 2
    said = capsys.readouterr().err
    assert "amesh: the disk is full ([Errno 28] No space left on device: 'metrics.csv')" in said
    assert "nothing to resume from" in said


def test_a_configuration_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_bytes(b"seed_everything: \xff\xfe\n")
    for words in (["--config", str(path)], [f"--config={path}"]):
        with pytest.raises(UserError, match=r"own\.yaml: not UTF-8 text"):
            parse("fit", *words)
