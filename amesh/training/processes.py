"""Leaving the other processes of a training before Python ends."""

import gc

import torch.distributed as dist

if dist.is_available():
    # Its functions have the group as a default argument. DistributedDataParallel imports it, too,
    # but when there is a group already, which it then keeps for ever.
    import torch.distributed.nn.functional  # noqa: F401


def leave_group() -> None:
    """Destroys the group of processes, if there is one, and waits for its threads.

    Gloo's threads release the tensors of a finished exchange, which takes Python's lock. One that
    is a little late, on a busy machine, meets a Python that is ending, and aborts the process:
    `terminate called without an active exception` (pytorch issue 190489). The threads end with the
    last reference to the group, so the caller has to drop the trainer first.
    """
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
        gc.collect()  # DistributedDataParallel, which refers to the group, is part of a cycle
