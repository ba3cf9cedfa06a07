"""What is common to the calls of all commands: the state's lock, the faults of calls, the answer."""

from __future__ import annotations

import importlib
import os
import sys
import time
from dataclasses import replace

from ._faults import FailCall, GarbleCall, HangCall, call_fault
from ._options import Answer, Refused
from ._state import State
from ._store import Store

TYPE_CHECKING = False  # the import of typing takes longer than many a call
if TYPE_CHECKING:
    from typing import Any

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "qsub", "qstat", "qdel", "qconf")

_NO_SLURM = "Unable to contact slurm controller (connect failure)\n"
_NO_QMASTER = "error: commlib error: got select error (Connection refused)\n"
NO_SEND = 'unable to send message to qmaster using port 6444 on host "localhost": got send error'
UNREACHABLE = {
    "sbatch": Answer(err=f"sbatch: error: Batch job submission failed: {_NO_SLURM}", code=1),
    "squeue": Answer(err=f"slurm_load_jobs error: {_NO_SLURM}", code=1),
    "scancel": Answer(err=f"scancel: error: Kill job error: {_NO_SLURM}", code=1),
    "scontrol": Answer(err=f"slurm_load_ctl_conf error: {_NO_SLURM}", code=1),
    "qsub": Answer(err=f"{_NO_QMASTER}Unable to run job: {NO_SEND}\nExiting.\n", code=1),
    "qstat": Answer(err=f"{_NO_QMASTER}error: {NO_SEND}\n", code=1),
    "qdel": Answer(out=f"{NO_SEND}\n", err=_NO_QMASTER, code=1),
    "qconf": Answer(err=f"{_NO_QMASTER}{NO_SEND}\n", code=1),
}
"""What a command says when its daemon can not be reached."""


def main(command: str, folder: str, words: list[str]) -> int:
    """Answer one call, and return its exit code."""
    module = importlib.import_module(f"._{command}", __package__)
    try:
        answer = _call(command, module, Store(folder), words)
    except Refused as refused:
        answer = refused.answer
    for stream, text in ((sys.stdout, answer.out), (sys.stderr, answer.err)):
        stream.buffer.write(os.fsencode(text))
        stream.flush()
    return answer.code


def _call(command: str, module: Any, store: Store, words: list[str]) -> Answer:
    """Let the command's module understand the words, and then act on the locked state."""
    request = module.parse(words)
    try:
        with store.change() as state:
            fault = None if state.closed else call_fault(state.faults, command)
            state.calls[command] = state.calls.get(command, 0) + 1
            if fault is None:
                answer = _act(command, module, store, state, request)
        if isinstance(fault, FailCall):
            if fault.stderr or fault.stdout:
                return Answer(fault.stdout, fault.stderr, fault.returncode)
            return replace(UNREACHABLE[command], code=fault.returncode)
        if isinstance(fault, GarbleCall):
            return Answer(fault.text)
        if isinstance(fault, HangCall):
            hang(store, fault.seconds)
            with store.change() as state:
                answer = _act(command, module, store, state, request)
        if answer.then:
            answer.then()
    except FileNotFoundError:
        if os.path.exists(store.state_path):
            raise
        return UNREACHABLE[command]
    return answer


def _act(command: str, module: Any, store: Store, state: State, request: Any) -> Answer:
    if state.closed:
        return UNREACHABLE[command]
    try:
        answer: Answer = module.act(store, state, request)
    except Refused as refused:
        return refused.answer
    return answer


def hang(store: Store, seconds: float) -> None:
    """Sleep, but no longer than the dummies are there."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
        try:
            if store.read().closed:
                return
        except FileNotFoundError:
            return
