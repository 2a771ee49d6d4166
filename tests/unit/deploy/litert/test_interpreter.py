import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from amesh.deploy.litert.interpreter import _without_greeting as without_greeting
from amesh.deploy.litert.interpreter import open_interpreter
from amesh.errors import UserError


def test_all_but_the_greeting_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with without_greeting():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nERROR: no memory\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "ERROR: no memory\nafterwards\n"


def test_an_error_passes_through_and_nothing_stays_held_back(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        os.write(2, b"WARNING: odd\n")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"), without_greeting():
        fail()
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "WARNING: odd\nafterwards\n"


def test_threads_that_open_files_leave_the_standard_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        def __init__(self, **_: object) -> None:
            time.sleep(0.001)

        def allocate_tensors(self) -> None: ...

    package = SimpleNamespace(Interpreter=Slow)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", SimpleNamespace(interpreter=package))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", package)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_interpreter, [b""] * 40))
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match=r"install .*'\.\[litert\]'"):
        open_interpreter(b"")
