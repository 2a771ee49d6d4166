"""Runs, on the real bindings, those parts of our code that need no library behind them."""

import tensorrt as trt

from amesh.deploy.tensorrt_engine import Log, release, version

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
