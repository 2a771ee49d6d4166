"""What an ablation's file may say, and what it becomes."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from amesh.ablation.plan import Ablation, budget, plan, read_ablation
from amesh.errors import UserError
from amesh.training.parser import parsed
from amesh.training.settings import conf_folder

SHIPPED = sorted(path.stem for path in (conf_folder() / "ablation").glob("*.yaml"))
GOOD = {
    "common": ["--config=quick"],
    "reference": "As it is",
    "variants": {"As it is": [], "Crop 24": ["--model.network.crop_size=24"]},
}


def _written(folder: Path, **changes: object) -> str:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    return str(path)


def test_the_papers_ablation_is_shipped() -> None:
    assert "paper" in SHIPPED


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> tuple[Ablation, dict[str, Any]]:
    """A shipped ablation, and what `amesh fit` makes of each variant's words."""
    found = read_ablation(request.param)
    configs = {name: parsed(["fit", *found.common, *own]) for name, own in found.variants.items()}
    return found, configs


def test_each_variant_is_one_training_of_equal_budget(
    shipped: tuple[Ablation, dict[str, Any]],
) -> None:
    _, configs = shipped
    networks, budgets = [], set()
    for one in configs.values():
        networks.append((one.model.architecture, one.model.network, one.model.schedule))
        budgets.add((one.trainer.max_steps, one.data.batch_size, str(one.data.train)))
    assert len(budgets) == 1
    assert all(networks.count(one) == 1 for one in networks)  # no variant is another one's twin


@pytest.mark.parametrize("shipped", ["paper"], indirect=True)
def test_the_papers_variants_differ_as_named(shipped: tuple[Ablation, dict[str, Any]]) -> None:
    found, configs = shipped
    models = {name: config.model for name, config in configs.items()}
    reference = models.pop(found.reference)
    assert (reference.architecture, reference.network.name) == ("AttentionMesh", "tiny-128")
    assert models["Mesh only"].architecture == "MeshOnly"
    assert models["Cascade"].architecture == "Cascade"
    assert models["Gaussian attention"].network.sampler == "gaussian"
    assert models["Theta: corners"].network.theta_rule == "corners"
    assert models["Theta regressed"].network.crop_source == "regressed"
    assert models["Shared map 48"].network.input_size == 192
    assert models["Ideal crops throughout"].schedule.ideal == 1
    # All else is as in the reference.
    for one in models.values():
        assert (one.optimiser, one.losses) == (reference.optimiser, reference.losses)
        assert one.network.widths == reference.network.widths


def test_a_plan_has_all_variants_of_the_first_seed_first(tmp_path: Path) -> None:
    jobs = plan(read_ablation(_written(tmp_path)), 2, tmp_path / "runs")
    assert [(job.variant, job.seed) for job in jobs] == [
        ("As it is", 0),
        ("Crop 24", 0),
        ("As it is", 1),
        ("Crop 24", 1),
    ]
    assert jobs[3].folder == tmp_path / "runs" / "crop-24" / "seed-1"
    assert jobs[3].arguments == (
        "--config=quick",
        "--model.network.crop_size=24",
        "--seed_everything=1",
    )
    # The whole configuration, so that a run of other settings is known as such.
    assert jobs[3].settings["model"]["network"]["crop_size"] == 24
    assert [job.settings["data"]["seed"] for job in jobs] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "600 steps of 16 faces"),
        (
            ["--trainer.max_steps=-1", "--trainer.max_epochs=7", "--trainer.devices=2"],
            "7 epochs in batches of 16 faces on each of 2 devices",
        ),
        (["--trainer.max_epochs=7"], "600 steps or 7 epochs in batches of 16 faces"),
        (
            ["--trainer.accumulate_grad_batches=4", "--trainer.num_nodes=2"],
            "600 steps of 16 faces, 4 times, on 2 machines",
        ),
    ],
)
def test_budgets_describe_everything_that_determines_them(
    tmp_path: Path, words: list[str], expected: str
) -> None:
    variants = {"As it is": words}
    [job] = plan(read_ablation(_written(tmp_path, variants=variants)), 1, tmp_path)
    assert budget(job.settings) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 3}, "unknown seeds"),
        ({"variants": {}}, "no variants"),
        ({"variants": None}, "no variants"),
        ({"variants": ["a"]}, "variants: expected names, each"),
        ({"reference": "none"}, "'none' is not a variant: As it is, Crop 24"),
        ({"variants": {"As it is": "--x=1"}}, "variant 'As it is': expected a list"),
        ({"variants": {"As it is": [1]}}, "variant 'As it is': expected a list"),
        ({"common": "--config=quick"}, "common: expected a list of arguments"),
        ({"variants": {"As it is": [], "as it is!": []}}, "needs letters or digits that no oth"),
        ({"variants": {"As it is": [], "?!": []}}, r"variant '\?!': needs letters or digits"),
        ({"common": ["--seed_everything=3"]}, "--seed_everything=3: set by `amesh ablate`"),
        (
            {"variants": {"As it is": ["--trainer.default_root_dir", "here"]}},
            "default_root_dir: set by `amesh ablate`",
        ),
    ],
)
def test_mistakes_in_a_file_are_reported_in_one_line(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_ablation(_written(tmp_path, **changes))
    assert str(caught.value).startswith(f"{tmp_path / 'own.yaml'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("- a\n- b\n", "expected common, reference, variants"), ("a: [", "own.yaml.*line 1")],
)
def test_an_invalid_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_ablation(str(path))
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'papr'.*paper"):
        read_ablation("papr")


def test_arguments_that_fit_refuses_are_reported_before_training(tmp_path: Path) -> None:
    variants = {"As it is": [], "Typo": ["--model.network.crop_sise=8"]}
    wrong = read_ablation(_written(tmp_path, variants=variants))
    with pytest.raises(UserError, match=r"'Typo'.*model\.network\.crop_sise"):
        plan(wrong, 1, tmp_path)


@pytest.mark.parametrize(
    "word", ["--trainer.logger=false", "--save.name=x", "--last.folder=d", "--model.seed=5"]
)
def test_arguments_that_would_invalidate_the_trainings_are_refused(
    tmp_path: Path, word: str
) -> None:
    variants = {"As it is": [], "Crop 24": [word]}
    wrong = read_ablation(_written(tmp_path, variants=variants))
    with pytest.raises(UserError, match=f"'Crop 24': {word[2:]}"):
        plan(wrong, 1, tmp_path)
