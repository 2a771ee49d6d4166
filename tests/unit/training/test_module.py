from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from amesh.data.augment.second_view import SecondView
from amesh.data.loading.sample import Batch
from amesh.errors import UserError
from amesh.losses.config import LossConfig
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED, RegionConfig
from amesh.nn.plain_config import PlainConfig
from amesh.nn.template import template_in_crop
from amesh.training import cli, parts
from amesh.training.checkpoint import describe
from amesh.training.module import LandmarkTraining, changes
from amesh.training.optimiser import OptimiserConfig, build
from amesh.training.parser import parsed
from amesh.weights import store

TINY = NAMED["tiny-128"]
PLAIN = PlainConfig("plain", input_size=128, widths=(2, 2, 2, 2, 2, 2, 2), depth=1)


def test_frozen_parts_have_no_gradients_and_keep_their_statistics():
    module = LandmarkTraining(
        network=replace(TINY, batch_norm=True), freeze=["shared", "regions.lips"]
    )
    module.train()
    assert not any(p.requires_grad for p in module.net.shared.parameters())
    assert not any(p.requires_grad for p in module.net.regions["lips"].parameters())
    assert all(p.requires_grad for p in module.net.mesh.parameters())
    assert not module.net.shared.training
    assert module.net.mesh.training


def test_the_head_of_the_errors_learns_alone_on_weights_without_one(tmp_path):
    torch.manual_seed(0)
    weights = tmp_path / "tiny.safetensors"
    store.save(AttentionMesh(TINY), weights, {"licence": "CC0-1.0"})
    module = LandmarkTraining(
        network=replace(TINY, error_width=8),
        warm_start=str(weights),
        freeze=["shared", "mesh.stages", "mesh.head", "mesh.face_flag", "regions"],
    )
    before = {name: p.detach().clone() for name, p in module.net.named_parameters()}
    optimiser, _ = build(module.net.parameters(), OptimiserConfig(), 10)
    module.net(torch.rand(2, 3, 128, 128)).expected_error.log().sum().backward()
    optimiser.step()
    changed = {n for n, p in module.net.named_parameters() if not torch.equal(p, before[n])}
    assert changed == {n for n in before if n.startswith("mesh.error_head.")}


def test_an_unknown_part_is_refused_with_those_there_are():
    with pytest.raises(UserError, match=r"'lips'.*shared, mesh, .*regions\.lips"):
        LandmarkTraining(network=TINY, freeze=["lips"])


def test_everything_frozen_is_refused():
    module = LandmarkTraining(network=TINY, freeze=["shared", "mesh", "regions"])
    with pytest.raises(UserError, match="every part of the network is frozen"):
        build(module.net.parameters(), OptimiserConfig(), 10)


def test_the_rate_rises_and_falls_as_a_cosine():
    config = OptimiserConfig(warm_up=0.1, final=0.01)
    rates = [config.factor(step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx((1 + 0.01) / 2)
    assert rates[100] == pytest.approx(0.01)


def test_a_run_too_short_to_warm_up_turns_back_halfway():
    config = OptimiserConfig(warm_up=0.1, least_warm_up=100, final=0.01)
    four = [config.factor(step, 4) for step in range(4)]
    assert four == pytest.approx([0.01, 0.02, 0.02, 0.02 * (1 + 0.01) / 2])
    sixty = [config.factor(step, 60) for step in range(61)]
    assert max(sixty) == sixty[29] == pytest.approx(0.3)
    assert sixty[60] == pytest.approx(0.3 * 0.01)
    assert config.factor(0, 1) == pytest.approx(0.01)
    # From twice as many steps on the highest rate is reached, and from ten times the share rules.
    assert max(config.factor(step, 200) for step in range(200)) == 1.0
    share = OptimiserConfig(warm_up=0.1, final=0.01)
    for step in (0, 99, 500):
        assert config.factor(step, 1000) == share.factor(step, 1000)
    with pytest.raises(UserError, match="least_warm_up is -1 steps"):
        OptimiserConfig(least_warm_up=-1)


def fitting(negatives: bool, warm: bool = True, **options) -> LandmarkTraining:
    """A module as it is when its data are known."""
    module = LandmarkTraining(**{"network": TINY, "plain": PLAIN, "face_flag": "auto"} | options)
    module.started_from = {"weights": "some"} if warm else None
    data = SimpleNamespace(has_negatives=negatives, licences={})
    module._trainer = SimpleNamespace(datamodule=data, state=SimpleNamespace(fn="fit"))
    module.setup("fit")
    return module


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"negatives": False}, True),
        ({"negatives": True}, False),
        # There is nothing to keep in a network that starts at random.
        ({"negatives": False, "warm": False}, False),
        ({"negatives": False, "face_flag": "train"}, False),
        ({"negatives": True, "warm": False, "face_flag": "keep"}, True),
    ],
)
def test_the_face_flag_is_kept_where_faces_alone_would_spoil_it(given, kept):
    module = fitting(**given)
    assert module.losses == LossConfig(face=0.0 if kept else 0.25)
    assert module.net.mesh.face_flag.weight.requires_grad != kept


@pytest.mark.parametrize("architecture", ["AttentionMesh", "Cascade", "MeshOnly", "PlainMesh"])
def test_a_flag_is_kept_with_all_that_it_is_computed_from(architecture):
    free, kept = (
        fitting(True, face_flag=flag, architecture=architecture) for flag in ("auto", "keep")
    )
    free.net(torch.rand(1, 3, 128, 128)).face_flag.sum().backward()
    computed_from = {name for name, p in free.net.named_parameters() if p.grad is not None}
    assert {name for name, p in kept.net.named_parameters() if not p.requires_grad} == computed_from
    kept.train()
    first, points = (
        (kept.net.stem, kept.net.points)
        if architecture == "PlainMesh"
        else (kept.net.shared, kept.net.mesh.head.points)
    )
    assert not first.training
    assert points.training


def test_a_resumed_run_keeps_the_flag_that_the_first_one_kept():
    module = fitting(negatives=False, warm=False)
    assert module.losses.face > 0
    before = describe("AttentionMesh", TINY) | {"warm_start": {"weights": "some"}}
    module.on_load_checkpoint({"amesh": before})
    assert module.losses.face == 0
    assert not module.net.mesh.face_flag.weight.requires_grad
    assert not any(p.requires_grad for p in module.net.shared.parameters())


def test_half_precision_moves_coordinates_little_and_stays_out_of_the_heads():
    net = AttentionMesh(TINY).eval()
    image = torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        whole = net(image)
        parts.half_trunks(net)
        half = net(image)
    assert half.landmarks.dtype == half.thetas.dtype == torch.float32
    assert not torch.equal(half.landmarks, whole.landmarks)
    assert (half.landmarks - whole.landmarks).abs().max() < 0.1  # [px]
    assert half.mesh.to(torch.bfloat16).float().ne(half.mesh).any()  # finer than bfloat16 holds


def test_mesh_only_without_irises_is_refused():
    with pytest.raises(UserError, match=r"MeshOnly.*mesh_irises"):
        LandmarkTraining("MeshOnly", NAMED["released-192"])


def run(words, capsys) -> str:
    assert cli.main(words) == 2
    return capsys.readouterr().err


FIT = ["fit", "--config", "quick"]


def test_half_precision_by_the_trainer_is_refused(capsys):
    text = run([*FIT, "--trainer.precision=bf16-mixed"], capsys)
    assert "amesh: trainer.precision bf16-mixed would round coordinates; model.bf16=true" in text


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU that is not there")
def test_no_gpu_where_one_is_asked_for_is_one_line(capsys):
    text = run([*FIT, "--trainer.accelerator=gpu"], capsys)
    line = next(line for line in text.splitlines() if line.startswith("amesh: "))
    assert "gpu" in line.lower()
    assert "Traceback" not in text


def test_a_missing_checkpoint_is_one_line(capsys):
    assert "amesh: no checkpoint nowhere.ckpt" in run([*FIT, "--ckpt_path=nowhere.ckpt"], capsys)


def test_a_checkpoint_does_not_override_what_was_asked_for(tmp_path):
    path = tmp_path / "last.ckpt"
    whole = {"state_dict": {}, "optimizer_states": [], "lr_schedulers": [], "loops": {}}
    about = describe("AttentionMesh", TINY) | {"wandb": "abc"}
    torch.save(whole | {"hyper_parameters": {"seed": 99}, "amesh": about}, path)
    words = ["fit", "--config", "fine_tune", "--config", "logger/wandb"]
    config = parsed([*words, "--model.seed=5", f"--ckpt_path={path}"])
    assert config.model.seed == 5
    assert config.model.warm_start is None  # the checkpoint's weights come instead
    assert config.trainer.logger.init_args.id == "abc"  # the run goes on in W&B too


def test_a_checkpoint_that_lacks_a_part_is_one_line(tmp_path, capsys):
    path = tmp_path / "half.ckpt"
    torch.save({"state_dict": {}, "amesh": {}, "loops": {}}, path)
    text = run([*FIT, f"--ckpt_path={path}"], capsys)
    assert "half.ckpt: incomplete, without optimizer_states, lr_schedulers; take another" in text
    torch.save({"state_dict": {}}, path)
    assert "half.ckpt: not written by amesh fit" in run([*FIT, f"--ckpt_path={path}"], capsys)


def test_a_weight_for_an_output_that_is_not_there_is_refused():
    network = replace(TINY, regions={"nose": RegionConfig(points="nose", anchors=(48, 278))})
    LandmarkTraining(network=network, losses=LossConfig(regions={"nose": 2.0}))
    with pytest.raises(UserError, match="no region output 'nose'; there are: lips"):
        LandmarkTraining(network=TINY, losses=LossConfig(regions={"nose": 2.0}))


@pytest.mark.parametrize("architecture", ["PlainMesh", "MeshOnly"])
def test_a_weight_for_a_region_of_a_network_without_regions_is_refused(architecture):
    with pytest.raises(UserError, match=f"{architecture} has no region output 'lips'; leave out"):
        LandmarkTraining(
            architecture,
            network=replace(TINY, mesh_irises=True),
            losses=LossConfig(regions={"lips": 2.0}),
        )


def test_a_resumed_run_names_what_moves_its_schedule_and_what_is_ignored():
    before = {"steps": 24, "warm_up": 0.03, "learning_rate": 0.002, "betas": (0.9, 0.999)}
    assert changes(before, before) == []
    moved, ignored = changes(before, before | {"steps": 600, "learning_rate": 0.1})
    assert moved.startswith("resumed with steps 600 (before: 24): from here on")
    assert ignored.startswith("resumed with learning_rate 0.1 (before: 0.002): ignored")


@pytest.mark.parametrize(
    ("rank", "size", "twice"),
    [(0, 8, [0, 4]), (0, 6, [0, 4]), (1, 6, [2]), (1, 2, []), (2, 2, [0])],
)
def test_every_fourth_face_of_all_ranks_is_shown_twice(
    rank: int, size: int, twice: list[int], monkeypatch: pytest.MonkeyPatch
):
    module = LandmarkTraining(network=TINY, losses=LossConfig(consistency=1.0))
    module._trainer = SimpleNamespace(current_epoch=0, global_rank=rank)
    truth, ones = template_in_crop(TINY).expand(size, -1, -1), torch.ones(size, 478)
    images = torch.rand(size, 3, 128, 128)
    batch = Batch(images, truth, ones, ones, torch.ones(size), torch.arange(size))
    shown: list[torch.Tensor] = []

    def second_view(image: torch.Tensor, key: torch.Tensor):
        shown.append(image)
        return SecondView(image, torch.eye(3)[None, :2].expand(len(image), -1, -1))

    monkeypatch.setattr("amesh.training.module.second_view", second_view)
    loss, logged, _ = module._losses(batch, ideal=False)
    assert [len(one) for one in shown] == [len(twice)] * bool(twice)
    assert all(torch.equal(one, images[twice]) for one in shown)
    assert logged["consistency"].item() >= 0
    loss.backward()


def test_a_quarter_of_the_faces_are_compared_with_a_second_view_in_phase_2():
    module = LandmarkTraining(network=TINY, losses=LossConfig(consistency=1.0))
    module._trainer = SimpleNamespace(current_epoch=0, global_rank=0)
    truth = template_in_crop(TINY).expand(8, -1, -1)
    ones, index = torch.ones(8, 478), torch.arange(8)
    batch = Batch(torch.rand(8, 3, 128, 128), truth, ones, ones, torch.ones(8), index)
    _, ideal, _ = module._losses(batch, ideal=True)
    assert "consistency" not in ideal
    _, logged, _ = module._losses(batch, ideal=False)
    assert logged["consistency"].item() > 0
    shown_again = torch.tensor([1.0, 0, 0, 0, 1, 0, 0, 0])
    _, others, _ = module._losses(batch._replace(face=1 - shown_again), ideal=False)
    assert others["consistency"].item() == 0
    without = LandmarkTraining(network=TINY)
    assert "consistency" not in without._losses(batch, ideal=False)[1]
