import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from amesh.cli.fields import add_fields, attributes, from_options


@dataclass(frozen=True)
class Trip:
    """A trip.

    Attributes:
        to: Where it goes, which
            may take two lines.
        stops: Stops on the way.
        by: Means of transport; 50 % walk.
        days: How long it takes [days].
        pets: Take the pets along.
        insured: Buy an insurance.
        notes: GPS track of an earlier trip.

    Raises:
        ValueError: Never.
    """

    to: str = "home"
    stops: tuple[Path, ...] = ()
    by: Literal["foot", "train"] = "foot"
    days: int | None = None
    pets: bool = False
    insured: bool = True
    notes: Path | None = None
    cost: dict[str, float] = field(default_factory=dict)


def parse(words: str) -> Trip:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_fields(
        parser, Trip, skip=["cost"], stops={"flag": "--via"}, to={"choices": ["home", "sea"]}
    )
    return from_options(Trip, parser.parse_args(words.split()), cost={"ticket": 2.5})


def test_each_option_fills_its_field() -> None:
    assert parse("") == Trip(cost={"ticket": 2.5})
    assert parse(
        "--to sea --via a b --by train --days 3 --pets --no-insured --notes n.gpx"
    ) == Trip(
        "sea", (Path("a"), Path("b")), "train", 3, True, False, Path("n.gpx"), {"ticket": 2.5}
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--by car", "invalid choice: 'car'"),
        ("--days x", "invalid int"),
        ("--to x", "'home', 'sea'"),
    ],
)
def test_a_value_of_another_kind_is_refused(words: str, message: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=message):
        parse(words)


def test_the_docstring_is_the_help() -> None:
    assert attributes(Trip) == {
        "to": "where it goes, which may take two lines",
        "stops": "stops on the way",
        "by": "means of transport; 50 %% walk",
        "days": "how long it takes [days]",
        "pets": "take the pets along",
        "insured": "buy an insurance",
        "notes": "GPS track of an earlier trip",
    }


def test_a_class_without_documented_attributes_has_no_help() -> None:
    assert attributes(Path) == {}
