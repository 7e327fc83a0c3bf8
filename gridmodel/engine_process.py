"""OpenDSS in a process of its own: a crash, a hang or a hunger for memory of the engine ends that process alone.

One process serves all calls, one after another, and is started anew after it has ended. It computes with one thread.
What it sends back is read with a list of types that may be in it.
"""

from __future__ import annotations

import atexit
import importlib
import io
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from gridmodel.errors import GridError

TIME_LIMIT_S = 300.0
"""of one call; the whole of a large circuit is read in a few seconds"""
MEMORY_LIMIT_BYTES = 16 * 2**30
"""address space of the process"""
LENGTH_BYTES = 8
ENTRIES = {
    "read": ("gridmodel.readers.opendss", "read_network"),
    "own file": ("gridmodel.solvers.own_opendss", "OpenDSSCircuit"),
    "circuit": ("gridmodel.solvers.opendss", "circuit_of"),
}
"""functions and classes that may be called there"""
NUMPY = {("_reconstruct", "multiarray"), ("scalar", "multiarray"), ("_frombuffer", "numeric")}
PLAIN = {("numpy", "ndarray"), ("numpy", "dtype"), ("builtins", "complex"), ("pathlib", "PosixPath")}


class EngineStopped(GridError):
    """The engine's process ended, or did not answer in time."""

    code = "engine_stopped"


def call(entry: str, *arguments: Any) -> Any:
    """What a function of ENTRIES returns, computed in the engine's process.

    Raises the GridError that it raises there, and EngineStopped where the process does not answer.
    """
    return _PROCESS.ask(("call", entry, arguments))[1]


class RemoteObject:
    """An object that one of ENTRIES made in the engine's process, for as long as that runs."""

    def __init__(self, entry: str, *arguments: Any) -> None:
        self._run, self._number = _PROCESS.ask(("make", entry, arguments))

    def get(self, name: str) -> Any:
        """The value of an attribute."""
        return _PROCESS.ask(("get", self._number, name), of=self._run)[1]

    def do(self, method: str, *arguments: Any) -> Any:
        """What a method returns."""
        return _PROCESS.ask(("do", self._number, method, arguments), of=self._run)[1]

    def __del__(self) -> None:
        with suppress(Exception):
            _PROCESS.forget(self._number, self._run)


class _Process:
    """The process, started when it is first asked."""

    def __init__(self) -> None:
        self.run = 0
        self.reset()

    def reset(self) -> None:
        """Forget the process, which another one goes on using."""
        self.lock, self.unused = threading.RLock(), list[int]()
        self.child: subprocess.Popen[bytes] | None = None
        self.has_answered = False

    def ask(self, what: tuple[Any, ...], of: int | None = None) -> tuple[int, Any]:
        """(run of the process, answer); of: the run that an object belongs to."""
        if find_spec("dss") is None:
            raise GridError("this feeder takes OpenDSS (dss-python): install sep2[opendss]")
        with self.lock:
            child = self._running()
            if of is not None and of != self.run:
                raise EngineStopped("OpenDSS was started anew since: open the circuit again")
            answer, late = self._exchange(child, what)
            if answer is None and not late and of is None and self.has_answered:
                # What other circuits left behind in the engine may have crashed it: only a crash of an engine that has
                # seen nothing else speaks against this circuit.
                self.stop()
                answer, late = self._exchange(self._running(), what)
            if answer is None:
                raise EngineStopped(self._ended(late=late))
            self.has_answered = True
        kind, value = _Answer(io.BytesIO(answer)).load()
        if kind == "refused":
            raise value
        if kind == "failed":
            raise GridError(f"OpenDSS: {value}")
        return self.run, value

    def _exchange(self, child: subprocess.Popen[bytes], what: tuple[Any, ...]) -> tuple[bytes | None, bool]:
        """(its answer, or None where it ended, whether it was stopped at the time limit)."""
        unused, self.unused = self.unused, []
        timer = threading.Timer(TIME_LIMIT_S, child.kill)
        timer.start()
        try:
            _write(child.stdin, pickle.dumps((str(Path.cwd()), unused, *what)))
            answer = _read(child.stdout)
        except OSError:
            answer = None
        finally:
            late = not timer.is_alive()
            timer.cancel()
        return answer, late

    def forget(self, number: int, run: int) -> None:
        """Let an object go with the next call."""
        if run == self.run:
            self.unused.append(number)

    def stop(self) -> None:
        """End the process."""
        child, self.child = self.child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self.child is None or self.child.poll() is not None:
            self.stop()
            self.run += 1
            self.unused = []
            self.has_answered = False
            one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
            self.child = subprocess.Popen(
                [sys.executable, "-P", "-m", "gridmodel.engine_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | one_thread | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
            )
        return self.child

    def _ended(self, *, late: bool) -> str:
        child = self.child
        code = child.wait() if child is not None else 0
        self.stop()
        if late:
            return f"OpenDSS did not answer within {TIME_LIMIT_S:g} s; it was stopped"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"OpenDSS ended by itself ({how}): the circuit crashes it, or takes more memory than there is"


class _Answer(pickle.Unpickler):
    """Reads what the process sends: our own data, arrays and numbers."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in PLAIN:
            return super().find_class(module, name)
        room = module.rsplit(".", 1)
        if room[0] in ("numpy._core", "numpy.core") and (name, room[-1]) in NUMPY:
            return super().find_class(module, name)
        if module.startswith("gridmodel.") and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is nothing that OpenDSS's process sends")


def _write(pipe: IO[bytes] | None, data: bytes) -> None:
    assert pipe is not None
    pipe.write(len(data).to_bytes(LENGTH_BYTES, "big"))
    pipe.write(data)
    pipe.flush()


def _read(pipe: IO[bytes] | None) -> bytes | None:
    """One message; None at the end."""
    assert pipe is not None
    head = pipe.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    size = int.from_bytes(head, "big")
    data = pipe.read(size)
    return data if len(data) == size else None


_PROCESS = _Process()


def stop() -> None:
    """End the process until it is needed again."""
    _PROCESS.stop()


atexit.register(_PROCESS.stop)
# A child of a fork must not speak to its parent's engine.
os.register_at_fork(after_in_child=_PROCESS.reset)


def serve() -> None:
    """Answer until the other side ends; what libraries print goes nowhere near the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(ValueError, OSError):
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = MEMORY_LIMIT_BYTES if most == resource.RLIM_INFINITY else min(most, MEMORY_LIMIT_BYTES)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    objects: dict[int, Any] = {}
    while (message := _read(sys.stdin.buffer)) is not None:
        # Whoever started this process may do with it what they like.
        folder, unused, *what = pickle.loads(message)  # noqa: S301
        os.chdir(folder)
        for number in unused:
            objects.pop(number, None)
        _write(answers, _answered(objects, what))


def _answered(objects: dict[int, Any], what: list[Any]) -> bytes:
    try:
        return pickle.dumps(("done", _done(objects, what)))
    except GridError as wrong:
        return pickle.dumps(("refused", wrong))
    except MemoryError:
        return pickle.dumps(("failed", "takes more memory than there is"))
    except Exception as wrong:
        return pickle.dumps(("failed", f"{type(wrong).__name__}: {' '.join(str(wrong).split())}"))


def _done(objects: dict[int, Any], what: list[Any]) -> Any:
    kind, target, *rest = what
    if kind in ("call", "make"):
        module, name = ENTRIES[target]
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        found = function(*rest[0])
        if kind == "call":
            return found
        number = max(objects, default=0) + 1
        objects[number] = found
        return number
    value = getattr(objects[target], rest[0])
    return value if kind == "get" else value(*rest[1])


if __name__ == "__main__":
    serve()
