"""Figures for whoever is woken when work does not move, in the format of Prometheus.

They are for operators alone, and name no tenant: there may be thousands, and who is busy is not
for everyone who draws curves.
"""

from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from graph.storage import operator_events, sampling
from graph.storage.jobs.standing import Standing, standing
from graph.storage.session import system_session
from service.deps import Operating, Shared
from workers import facade

router = APIRouter(tags=["service"])


class _Figures(Collector):
    """What was read of the database for this one answer."""

    def __init__(
        self, found: Iterable[Standing], *, dispatcher_leads: bool, snapshots_differ: int
    ) -> None:
        self._found = found
        self._dispatcher_leads = dispatcher_leads
        self._snapshots_differ = snapshots_differ

    @override
    def collect(self) -> Iterator[Metric]:
        labels = ("state", "kind")
        jobs = GaugeMetricFamily(
            "codeloom_jobs", "Jobs that have not ended, and dead ones.", labels=labels
        )
        oldest = GaugeMetricFamily(
            "codeloom_jobs_oldest_seconds",
            "Since the oldest could start, was dispatched, or died; 0 for none.",
            labels=labels,
        )
        for one in self._found:
            jobs.add_metric((one.state, one.kind), one.jobs)
            oldest.add_metric((one.state, one.kind), one.oldest_seconds)
        yield jobs
        yield oldest
        yield GaugeMetricFamily(
            "codeloom_dispatcher_leads",
            "1 while a dispatcher leads, 0 while none does.",
            value=float(self._dispatcher_leads),
        )
        yield CounterMetricFamily(
            "codeloom_snapshots_differ",
            "Checks that found a published snapshot to be other than its code says.",
            value=self._snapshots_differ,
        )


# Not in the API document: it is no JSON, and clients that are made of it have no use for it.
@router.get("/metrics", include_in_schema=False)
def read_metrics(request: Request, _: Operating, backend: Shared) -> Response:
    """How the queue stands."""
    with system_session("administration", settings=backend.settings) as connection:
        found = standing(connection)
        differ = operator_events.failures(connection, action=sampling.ACTION)
    registry = CollectorRegistry()
    leads = facade.dispatcher_ready(backend.settings)
    registry.register(_Figures(found, dispatcher_leads=leads, snapshots_differ=differ))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"content-type": content_type})
