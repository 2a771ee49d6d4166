"""Runs the parts of our code that need only the real bindings, not the libraries behind them."""

import importlib
import sys
from pathlib import Path

import tensorrt as trt

from amesh.deploy.tensorrt.library import Log, release, version

# Enumerations of Python's own kind carry these.
PRIVATE = {"name", "value"}

assert release(version()) >= (10, 12), version()

log = Log()
assert isinstance(log.sink, trt.ILogger)
for severity, text in ((trt.ILogger.Severity.ERROR, "bad "), (trt.ILogger.Severity.INFO, "so")):
    log.sink.log(severity, text)
assert log.errors == ["bad"], log.errors
assert not log.warnings

shape = trt.Dims((8, 3, 256, 256))
assert tuple(shape) == (8, 3, 256, 256)
assert shape[0] == 8
print("alive on", trt.__version__)

# The unit tests' stand-in has nothing that TensorRT lacks.
sys.path.insert(0, str(Path("tests/unit/deploy").resolve()))
fake = importlib.import_module("fake_tensorrt")
for kind in vars(fake).values():
    if not isinstance(kind, type) or kind.__module__ != "fake_tensorrt":
        continue
    real = getattr(trt, kind.__name__)
    for name in vars(kind):
        if not name.startswith("_"):
            assert hasattr(real, name) or name in PRIVATE, f"{kind.__name__}.{name}"
print("the stand-in agrees with", trt.__version__)
