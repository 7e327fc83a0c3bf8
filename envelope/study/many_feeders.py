"""Many feeders: the same work on each, in processes of this machine or on the workers of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from envelope.field_rules import BadProblem
from gridmodel.errors import GridError
from sep2.errors import SepError

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 2
"""items per worker that are handed out at a time: more would hold their results in memory"""
LOCAL = "local"
ANSWER_S = 10.0
"""within this time a Dask scheduler must answer"""


class Failure(NamedTuple):
    """Work that ended without a result."""

    code: str
    detail: str


class Done(NamedTuple, Generic[Item, Result]):
    """One item, with what came of it."""

    item: Item
    result: Result | Failure


@dataclass(frozen=True)
class Workers:
    """Where the work is done."""

    processes: int = 0
    """0: one for each processor; 1: this process itself"""
    dask: str = ""
    """address of a Dask scheduler, or local for a cluster on this machine; empty: processes"""

    def __post_init__(self) -> None:
        if self.processes < 0:
            raise BadProblem(f"--workers: {self.processes} is below 0")

    @property
    def count(self) -> int:
        """Number of processes."""
        return self.processes or os.cpu_count() or 1


def each(work: Callable[[Item], Result], items: Sequence[Item], workers: Workers) -> Iterator[Done[Item, Result]]:
    """Results in the order in which they come; work that raises, or whose process ends, gives a Failure.

    work: a function of a module, so that other processes find it.
    """
    if workers.dask:
        yield from _on_dask(work, items, workers)
    elif workers.count == 1 or len(items) == 1:
        yield from (Done(item, attempted(work, item)) for item in items)
    else:
        yield from _in_processes(work, items, workers.count)


def attempted(work: Callable[[Item], Result], item: Item) -> Result | Failure:
    """The result of the work, or why there is none."""
    try:
        return work(item)
    except (SepError, GridError, OSError) as wrong:
        return Failure(str(getattr(wrong, "code", "file_error")), str(wrong))
    except Exception as wrong:  # one feeder's fault must not end the others
        return Failure("internal_error", f"{type(wrong).__name__}: {wrong}")


def _in_processes(work: Callable[[Item], Result], items: Sequence[Item], count: int) -> Iterator[Done[Item, Result]]:
    waiting = list(items)[::-1]
    while waiting:
        suspects = list[Item]()
        with _pool(count) as pool:
            running: dict[Future[Result | Failure], Item] = {}
            while (waiting or running) and not suspects:
                while waiting and len(running) < AHEAD * count:
                    item = waiting.pop()
                    running[pool.submit(attempted, work, item)] = item
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    if isinstance(future.exception(), BrokenProcessPool):
                        suspects = list(running.values())
                        break
                    yield Done(running.pop(future), future.result())
        # One of these ended its process: each is tried again by itself.
        for item in suspects:
            yield Done(item, _alone(work, item))


def _alone(work: Callable[[Item], Result], item: Item) -> Result | Failure:
    with _pool(1) as pool:
        try:
            return pool.submit(attempted, work, item).result()
        except BrokenProcessPool:
            return Failure("process_ended", "its process ended, out of memory or by a fault of a library")


def _pool(count: int) -> ProcessPoolExecutor:
    # A fork would copy the threads' locks of this process in whatever state they are.
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def _on_dask(work: Callable[[Item], Result], items: Sequence[Item], workers: Workers) -> Iterator[Done[Item, Result]]:
    with _client(workers) as client:
        import distributed

        waiting, item_of = list(items)[::-1], dict[str, Item]()
        as_completed: Any = distributed.as_completed
        running = as_completed()

        def hand_out() -> None:
            item = waiting.pop()
            future = client.submit(attempted, work, item, pure=False)
            item_of[future.key] = item
            running.add(future)

        for _ in range(min(len(waiting), AHEAD * max(len(client.scheduler_info()["workers"]), 1))):
            hand_out()
        for future in running:
            item = item_of.pop(future.key)
            if future.status == "finished":
                yield Done(item, future.result())
            else:
                yield Done(item, Failure("process_ended", f"no worker finished it: {future.exception()}"))
            future.release()
            if waiting:
                hand_out()


@contextmanager
def _client(workers: Workers) -> Iterator[Any]:
    """A client of the cluster; a local one ends with it."""
    try:
        import distributed
    except ImportError:
        raise BadProblem("--dask: needs sep2[dask]: pip install 'sep2[dask]'") from None
    connect: Any = distributed.Client
    if workers.dask == LOCAL:
        options = {"n_workers": workers.count, "threads_per_worker": 1, "dashboard_address": None}
        started: Any = distributed.LocalCluster
        with started(**options, silence_logs=50) as cluster, connect(cluster) as client:
            yield client
        return
    try:
        client = connect(workers.dask, timeout=ANSWER_S)
    except (OSError, ValueError) as wrong:
        raise BadProblem(f"--dask {workers.dask}: no scheduler answers there: {wrong}") from None
    with client:
        yield client
