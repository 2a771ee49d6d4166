"""How many pictures training gets through: the step alone, the data alone, and both together.

Both together is what a run does; the step alone is what it could do if pictures cost nothing. The
three are measured in turn, round after round, so that what else a machine does falls on all alike.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn.utils import clip_grad_norm_

from amesh.data.loading.sample import Batch
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.losses.reduction import averaged
from amesh.training.module import LandmarkTraining
from amesh.training.optimiser import build

# As the shipped configurations have it.
_CLIP = 20.0

Part = Literal["step", "data", "both"]
# What a loader gives, made into a batch on the device.
Prepare = Callable[[Any], Batch]


@dataclass(frozen=True)
class Speed:
    """What was measured for one network.

    Attributes:
        network: Its name.
        device: What it ran on.
        threads: Of the process that trains.
        workers: Processes that read pictures.
        batch: Pictures in a batch.
        step: Steps on one batch that stays on the device [pictures/s].
        data: Loading, cutting and augmenting, without a step [pictures/s].
        both: Training [pictures/s].
        share: Both over the step alone: the median of the rounds' ratios.
        cores: What the data cost of the process's and its workers' time on all cores, in units of
            the step's; None on a GPU.
    """

    network: str
    device: str
    threads: int
    workers: int
    batch: int
    step: float
    data: float
    both: float
    share: float
    cores: float | None


def measure(
    module: LandmarkTraining,
    loader: Iterable[Any],
    prepare: Prepare,
    device: torch.device,
    rounds: int = 7,
    batches: int = 10,
    warm_up: int = 3,
) -> Speed:
    """Measures one network; it is trained a little by that.

    Args:
        module: The network with its losses and its optimiser.
        loader: Gives batches as training's does; its workers are part of what is measured.
        prepare: Makes what it gives into a batch on the device.
        device: Where the steps run.
        rounds: How often each of the three is measured; medians count.
        batches: Timed in each round.
        warm_up: Not timed before them: workers start, queues fill.

    Raises:
        UserError: A number without meaning, or a loader without a batch.
    """
    for name, value in (("rounds", rounds), ("batches", batches)):
        if value < 1:
            raise UserError(f"speed: {name} is {value}, expected 1 or more")
    step = _stepper(module.to(device), steps=3 * rounds * (batches + warm_up) + 1)
    resident = prepare(next(_endless(loader), None) or _nothing())
    parts: dict[Part, Callable[[Iterator[Any]], object]] = {
        "step": lambda _: step(resident),
        "data": lambda loaded: prepare(next(loaded)),
        "both": lambda loaded: step(prepare(next(loaded))),
    }
    wall: dict[Part, list[float]] = {part: [] for part in parts}
    cores: dict[Part, list[float]] = {part: [] for part in parts}
    step(resident)  # the optimiser's state, and what a first call compiles
    for number in range(rounds):
        order = list(parts) if number % 2 else list(reversed(parts))
        for part in order:
            taken, busy = _timed(parts[part], loader, part != "step", device, batches, warm_up)
            wall[part].append(taken)
            cores[part].append(busy)
    size = len(resident.index)
    rates = {part: size * batches / statistics.median(wall[part]) for part in parts}
    shares = [alone / both for alone, both in zip(wall["step"], wall["both"], strict=True)]
    extra = [both / alone - 1.0 for alone, both in zip(cores["step"], cores["both"], strict=True)]
    on_cpu = device.type == "cpu"
    return Speed(
        network=f"{module.architecture} {module.network.name}",
        device=_name(device),
        threads=torch.get_num_threads(),
        workers=getattr(loader, "num_workers", 0),
        batch=size,
        **rates,
        share=statistics.median(shares),
        cores=statistics.median(extra) if on_cpu else None,
    )


def write(found: Sequence[Speed], folder: Path) -> None:
    """Writes `training.md` to read and `training.json` to work with."""
    lines = [
        "| Network | Device | Threads + workers | Batch | Step alone | Data alone | Both "
        "| Both / step | Data's cores |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in found:
        cores = "" if one.cores is None else f"{one.cores:+z.1%}"
        lines.append(
            f"| {one.network} | {one.device} | {one.threads} + {one.workers} | {one.batch} "
            f"| {one.step:.1f} | {one.data:.1f} | {one.both:.1f} | {one.share:.3f} | {cores} |"
        )
    about = (
        f"Pictures per second, medians of interleaved rounds; torch {torch.__version__}. Data's "
        "cores: time on all cores that loading and augmenting add, in units of the step's."
    )
    text = "\n".join([*lines, "", about, ""])
    write_atomically(folder / "training.md", text.encode())
    rows = json.dumps([asdict(one) for one in found], indent=2)
    write_atomically(folder / "training.json", rows.encode())


def _stepper(module: LandmarkTraining, steps: int) -> Callable[[Batch], None]:
    """One step as the trainer makes it, what is logged included."""
    module.train()
    module.steps = steps
    optimiser, schedule = build(module.net.parameters(), module.optimiser, steps)
    parameters = list(module.net.parameters())

    def step(batch: Batch) -> None:
        optimiser.zero_grad()
        loss, logged, _ = module._losses(batch, ideal=False)
        loss.backward()
        clip_grad_norm_(parameters, _CLIP)
        optimiser.step()
        schedule.step()
        averaged({"loss": loss, **logged})

    return step


def _timed(
    once: Callable[[Iterator[Any]], object],
    loader: Iterable[Any],
    loads: bool,
    device: torch.device,
    batches: int,
    warm_up: int,
) -> tuple[float, float]:
    """Seconds by the clock, and on all cores of this process and its workers."""
    with closing(_endless(loader if loads else [None])) as loaded:
        for _ in range(warm_up):
            once(loaded)
        _wait(device)
        clock, busy = time.perf_counter(), _cores()
        for _ in range(batches):
            once(loaded)
        _wait(device)
        return time.perf_counter() - clock, _cores() - busy


def _endless(loader: Iterable[Any]) -> Generator[Any, None, None]:
    """Epoch after epoch."""
    while True:
        empty = True
        for loaded in loader:
            empty = False
            yield loaded
        if empty:
            return


def _cores() -> float:
    """Time that this process and its children have used on all cores [s]."""
    times = os.times()  # those that have ended are in it
    total = time.process_time() + times.children_user + times.children_system
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if children.exists():
        for child in children.read_text().split():
            with suppress(OSError):  # it has just ended
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def _nothing() -> Any:
    raise UserError("speed: the loader gives no batch; more faces, or a smaller batch")
