#!/usr/bin/env bash
# destroy_process_group() does not end a process group if torch.distributed.nn.functional was imported after the group began.
#
# Versions:  torch 2.14.1 (CPU); Python 3.10 or newer; Linux, as the script counts threads by /proc.
# Behaviour: nobody needs to import that module: DistributedDataParallel does it, through torch._dynamo. The group's
#            threads (three for gloo) then run on after destroy_process_group(), although the model is gone and
#            is_initialized() says False. Now and then, on a busy computer, such a process then ends with an error
#            after all its work is done, and torchrun ends the other processes, too. If the module is imported
#            before the group begins, nothing is left.
# Source:    torch/distributed/nn/functional.py: broadcast(tensor, src, group=group.WORLD) and its neighbours. Python
#            evaluates default arguments at import: before the group begins WORLD is None, later it is the group.
# For users: import torch.distributed.nn.functional at the top of a training script.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 torch==2.14.1
cat > "$folder/threads.py" <<'PYTHON'
import gc
import sys
from pathlib import Path

import torch
from torch import distributed

if sys.argv[1] == "before":
    import torch.distributed.nn.functional


def threads() -> int:
    """The process's threads whose names contain gloo."""
    return sum("gloo" in path.read_text() for path in Path("/proc/self/task").glob("*/comm"))


distributed.init_process_group("gloo", rank=0, world_size=1, store=distributed.HashStore())
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 2))
model(torch.ones(4, 3)).sum().backward()
during = threads()
del model
distributed.destroy_process_group()
gc.collect()
print(f"imported {sys.argv[1]} the group: {during} threads of gloo, and {threads()} after destroy_process_group();",
      f"is_initialized() says {distributed.is_initialized()}")
assert during > 0, "gloo has no threads now"
assert (threads() > 0) == (sys.argv[1] == "after"), "the group ends otherwise now"
PYTHON
for when in after before; do
    "$folder/venv/bin/python" "$folder/threads.py" $when ||
        { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
done
