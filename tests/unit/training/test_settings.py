import pytest

from amesh.errors import UserError
from amesh.training.settings import conf_folder, named_configs, shipped_configs


def test_every_configuration_is_listed_with_a_line_about_it() -> None:
    wholes, fragments = shipped_configs()
    assert sorted(wholes) == sorted(path.stem for path in conf_folder().glob("*.yaml"))
    for name, text in wholes.items():
        assert 20 < len(text) <= 80, name
        assert not text.endswith(".")
    assert "trainer/cpu, trainer/cpus, trainer/ddp" in "\n".join(fragments)
    assert not any("sweeps" in line or "ablation" in line for line in fragments)


def test_a_mistyped_name_gets_a_suggestion() -> None:
    with pytest.raises(UserError, match=r"'quik' \(did you mean quick\?\)"):
        named_configs(["--config", "quik"])
