"""Tests that build and run engines. What they need is in the reason why they are skipped."""

from pathlib import Path

import pytest

from amesh.deploy import tensorrt_engine
from amesh.errors import UserError

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks this folder's tests, and skips them where TensorRT or a GPU is missing."""
    ours = [item for item in items if HERE in item.path.parents]
    lacks = [
        text for text in (reason(tensorrt_engine.version), reason(tensorrt_engine.gpu)) if text
    ]
    for item in ours:
        item.add_marker(pytest.mark.gpu)
        if lacks:
            item.add_marker(pytest.mark.skip(reason="; ".join(lacks)))


def reason(check: object) -> str | None:
    """Why a requirement is not met."""
    try:
        check()  # type: ignore[operator]
    except UserError as error:
        return str(error)
    return None
