"""What the server counts and times, for Prometheus: nothing is labelled by device, client or address."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import prometheus_client as client
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of the environment that names the folder in which worker processes keep their counters."""
METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Gauge(NamedTuple):
    """A value as it is now, or several by one label."""

    name: str
    meaning: str
    values: Mapping[str, float]
    """By the value of the label; by the empty text where there is none."""
    label: str = ""


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answers = self._counter("sep2_requests", "Answers to 2030.5 clients.", "resource", "method", "status")
        self._times = self._histogram("sep2_request_seconds", "Until a 2030.5 client is answered.", "resource")
        self._known: dict[tuple[str, str, int], tuple[Any, Any]] = {}
        """Counter and histogram by resource, method and status: to look them up by labels takes as long as to count."""
        self._asked = self._counter("sep2_operator_requests", "Answers to operators.", "route", "method", "status")
        self._asked_times = self._histogram("sep2_operator_request_seconds", "Until an operator is answered.", "route")
        self._handshakes = self._counter("sep2_handshake_failures", "Handshakes of clients that failed.", "reason")
        self._deliveries = self._counter("sep2_deliveries", "Attempts to tell receivers, by their result.", "result")
        self.sessions = client.Gauge(
            "sep2_sessions", "Open connections of clients.", registry=self.registry, multiprocess_mode="livesum"
        )

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, registry=self.registry, buckets=SECONDS)

    def answered(self, resource: str, method: str, status: int, began: float) -> None:
        """Note an answer to a client; resource: the row of the table, empty where there is none."""
        key = resource or "none", method if method in METHODS else "other", status
        known = self._known.get(key)
        if known is None:
            name, verb, _ = key
            known = self._known[key] = self._answers.labels(name, verb, str(status)), self._times.labels(name)
        answers, times = known
        answers.inc()
        times.observe(time.perf_counter() - began)

    def operator_answered(self, route: str, method: str, status: int, began: float) -> None:
        """Note an answer to an operator; route: its path in the table, empty where there is none."""
        name = route or "none"
        self._asked.labels(name, method if method in METHODS else "other", str(status)).inc()
        self._asked_times.labels(name).observe(time.perf_counter() - began)

    def handshake_failed(self, reason: str) -> None:
        """Note a handshake that failed, for one of a few reasons."""
        self._handshakes.labels(reason).inc()

    def delivered(self, result: str) -> None:
        """Note an attempt to tell a receiver: told, refused, silent or broken."""
        self._deliveries.labels(result).inc()

    def text(self, gauges: Iterable[Gauge]) -> bytes:
        """Everything in the text format of Prometheus, with the values of this moment."""
        registry = self.registry
        if SHARED in os.environ:  # the counters of all workers, which their parent has keep them in files
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        with _beside(registry, _Now(gauges)):
            return generate_latest(registry)


class _Now(Collector):
    """Values of this moment."""

    def __init__(self, gauges: Iterable[Gauge]) -> None:
        self._gauges = list(gauges)

    def collect(self) -> Iterator[Any]:
        """One family for each gauge."""
        for name, meaning, values, label in self._gauges:
            family = GaugeMetricFamily(name, meaning, labels=[label] if label else [])
            for key, value in values.items():
                family.add_metric([key] if label else [], value)
            yield family


@contextmanager
def _beside(registry: CollectorRegistry, collector: Collector) -> Iterator[None]:
    registry.register(collector)
    try:
        yield
    finally:
        registry.unregister(collector)
