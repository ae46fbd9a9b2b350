"""For operators: `/livez`, `/readyz`, `/metrics`."""

import hmac
import ipaddress
import os
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    generate_latest,
    multiprocess,
)

from commsite.realtime import telemetry
from commsite.realtime.errors import REASONS
from commsite.realtime.hub import hub

PREFIX = "commsite_"


class Exposition:
    """Puts the core's plain counters into Prometheus' form; with several workers through its shared files."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._published: dict[tuple[str, telemetry.Labels], int] = {}

    def publish(self) -> None:
        """Adds what was counted since the last time."""
        for (name, labels), value in list(telemetry.counters.items()):
            delta = value - self._published.get((name, labels), 0)
            if delta:
                self._counter(name, labels).labels(*(text for _, text in labels)).inc(
                    delta
                ) if labels else (self._counter(name, labels).inc(delta))
                self._published[name, labels] = value
        for name, read in list(telemetry.gauges.items()):
            self._gauge(name).set(read())

    def render(self) -> bytes:
        """All metrics as text, summed over the workers."""
        self.publish()
        registry = self.registry
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _counter(self, name: str, labels: telemetry.Labels) -> Counter:
        if name not in self._counters:
            described = name.removesuffix("_total").replace("_", " ")
            self._counters[name] = Counter(
                PREFIX + name,
                f"Number of {described}.",
                [key for key, _ in labels],
                registry=self.registry,
            )
        return self._counters[name]

    def _gauge(self, name: str) -> Gauge:
        if name not in self._gauges:
            self._gauges[name] = Gauge(
                PREFIX + name,
                f"Current {name.replace('_', ' ')}.",
                registry=self.registry,
                multiprocess_mode="livesum",
            )
        return self._gauges[name]


exposition = Exposition()
if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):  # the worker that is asked must know of the others
    telemetry.subscribe("ticked", exposition.publish)


def livez(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers at all."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when this process should get new clients, else 503 with the reason."""
    reason = hub.readiness()
    if reason is None:
        return JsonResponse({"status": "ok", "node": hub.node})
    body = {"status": "unready", "reason": reason, "message": REASONS[reason].message}
    return JsonResponse(body, status=HTTPStatus.SERVICE_UNAVAILABLE)


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text, for loopback or for who holds METRICS_TOKEN."""
    if not _may_read_metrics(request):
        body = {
            "reason": "forbidden",
            "message": "From loopback only, or with METRICS_TOKEN as a bearer token.",
        }
        return JsonResponse(body, status=HTTPStatus.FORBIDDEN)
    return HttpResponse(exposition.render(), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    shown = request.headers.get("authorization", "").removeprefix("Bearer ")
    if settings.METRICS_TOKEN and hmac.compare_digest(
        shown.encode(), settings.METRICS_TOKEN.encode()
    ):
        return True
    if "x-forwarded-for" in request.headers:  # a proxy on this machine is not this machine asking
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


urlpatterns = [path("livez", livez), path("readyz", readyz), path("metrics", metrics)]
