import re
from collections.abc import Callable

import pytest

from amesh.cli import main
from amesh.cli.commands import LIGHTNING, SUMMARIES, command_parser
from amesh.errors import UserError

OURS = [name for name in SUMMARIES if name not in LIGHTNING]


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit, match="0"):
        main([*words, "--help"])
    return capsys.readouterr().out


def test_the_help_lists_every_command_once(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(capsys)
    assert re.findall(r"^  ([a-z]+)  +", text, re.MULTILINE) == list(SUMMARIES)
    assert "Exit codes: 0" in text


@pytest.mark.parametrize("name", OURS)
def test_each_command_describes_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(capsys, name)
    assert text.startswith(f"usage: amesh {name} ")
    assert SUMMARIES[name] in " ".join(text.split())


@pytest.mark.parametrize("name", OURS)
def test_every_option_has_a_help_text(name: str) -> None:
    for action in command_parser(name)._actions:
        assert action.help or action.metavar == "ACTION", action.option_strings


def test_parsers_are_built_without_heavy_imports(run_python: Callable[[str], str]) -> None:
    code = "import sys; from amesh.cli.commands import command_parser\n"
    code += f"for name in {OURS}: command_parser(name)\n"
    code += "print({'numpy', 'torch', 'cv2', 'kornia', 'jaxtyping'} & sys.modules.keys())"
    assert run_python(code) == "set()\n"


def test_only_the_command_asked_for_is_imported(run_python: Callable[[str], str]) -> None:
    code = "import sys; from amesh.cli.commands import command_parser; command_parser('info')\n"
    code += "print([name for name in sys.modules if name.startswith('amesh.cli.')])"
    loaded = run_python(code)
    assert "amesh.cli.info" in loaded
    assert not [name for name in OURS if name != "info" and f"amesh.cli.{name}'" in loaded]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["evalute"],
            "no command 'evalute' (did you mean evaluate?); `amesh --help` lists them all",
        ),
        (["ran"], "no command 'ran' (did you mean run?); `amesh --help` lists them all"),
        (["zzz"], "no command 'zzz'; `amesh --help` lists them all"),
    ],
)
def test_a_mistyped_command_is_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == f"amesh: {message}\n"


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "evaluate" in capsys.readouterr().err


def test_lightning_parses_its_own_commands() -> None:
    with pytest.raises(UserError, match="no command 'fit'"):
        command_parser("fit")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["run", "a.jpg", "--ouput", "b.jsonl"],
            "amesh run: no option --ouput (did you mean --output?); "
            "`amesh run --help` lists the options",
        ),
        (
            ["run", "a.jpg", "--min-score", "2"],
            "amesh run: argument --min-score: expected a number of at least 0 and below 1, "
            "got '2'; `amesh run --help` lists the options",
        ),
        (
            ["weights", "average", "a", "b"],
            "amesh weights average: the following arguments are required: --output; "
            "`amesh weights average --help` lists the options",
        ),
        (
            ["label", "a.jpg", "--output", "x", "--ranks", "0"],
            "amesh label: argument --ranks: expected a whole number of 1 or more, got '0'; "
            "`amesh label --help` lists the options",
        ),
        (["--nonsense"], "amesh: no option --nonsense; `amesh --help` lists the options"),
    ],
)
def test_wrong_usage_is_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert capsys.readouterr().err == message + "\n"
