"""What settled rows add up to."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.completion import Usage
from gateway.observability.counters import MAX_CODES, SECONDS, Histogram, RequestMetrics
from gateway.observability.prometheus import PrometheusExporter
from gateway.records import RequestRecord

LISTED = ("gemini/one", "claude/two")


def record(provider: str = "gemini", model: str = "one") -> RequestRecord:
    return RequestRecord(
        request_id="req_1",
        timestamp="2026-11-22T10:00:00Z",
        strategy_used="pinned",
        selected_provider=provider,
        selected_model=model,
        baseline_provider=provider,
        baseline_model=model,
        status="ok",
    )


def test_answers_with_content_that_is_dropped() -> None:
    """Answers with content that has no place count by their provider."""
    counts = RequestMetrics()
    counts.observe_incomplete("gemini")
    counts.observe_incomplete("gemini")
    assert value(counts, "incomplete_answers_total", provider="gemini") == 2


def value(counts: RequestMetrics, name: str, **labels: str) -> float | None:
    """The sample as a scraper reads it."""
    exporter = PrometheusExporter()
    exporter.counts = counts
    return exporter.registry.get_sample_value(f"gateway_{name}", labels)


def test_money_and_tokens_are_summed_by_model() -> None:
    """Money and tokens are added up by provider and model, requests by strategy and status too."""
    counts = RequestMetrics()
    usage = Usage(prompt_tokens=10, completion_tokens=5, cached_tokens=4)
    priced = record()._replace(usage=usage, actual_cost=Decimal("0.25"), baseline_cost=Decimal("0.5"))
    for row in (priced, priced, priced._replace(status="error", actual_cost=None, fallback_used=True)):
        counts.observe(row, listed=LISTED)
    which = {"provider": "gemini", "model": "one"}
    of = {**which, "endpoint": "other"}
    assert value(counts, "requests_total", strategy="pinned", status="ok", **of) == 2
    assert value(counts, "requests_total", strategy="pinned", status="error", **of) == 1
    assert value(counts, "cost_usd_total", **which) == 0.5
    assert value(counts, "baseline_cost_usd_total") == 1.5
    assert value(counts, "tokens_total", kind="cached", **which) == 12
    assert value(counts, "tokens_total", kind="completion", **which) == 15
    assert (value(counts, "unpriced_requests_total"), value(counts, "fallbacks_total")) == (1, 1)


def test_errors_count_by_code_up_to_a_limit() -> None:
    """Failed and refused requests count by the error's code; more than a hundred codes count as `other`."""
    counts = RequestMetrics()
    for number in range(MAX_CODES + 2):
        counts.observe(record()._replace(error_code=f"code {number}"), listed=LISTED)
        counts.observe_refusal("rate_limited")
    assert value(counts, "request_errors_total", code="code 0") == 1
    assert value(counts, "request_errors_total", code="other") == 2
    assert value(counts, "refusals_total", code="rate_limited") == MAX_CODES + 2


def test_row_without_usage_counts_as_a_request_only() -> None:
    """A row without usage and times counts as a request and as nothing else."""
    counts = RequestMetrics()
    counts.observe(record(), listed=LISTED)
    assert value(counts, "unpriced_requests_total") == 0
    assert value(counts, "request_seconds_count") == value(counts, "first_byte_seconds_count") == 0


def test_duration_falls_into_every_bucket_from_its_bound_up() -> None:
    """A duration is in the bucket of the first bound that it does not pass, and in all above."""
    counts = RequestMetrics()
    for seconds in (0.1, 0.2, 400.0):
        counts.observe(record()._replace(duration=seconds, first_byte=seconds / 2), listed=LISTED)
    assert [value(counts, "request_seconds_bucket", le=le) for le in ("0.1", "0.25", "300.0", "+Inf")] == [1, 2, 2, 3]
    assert value(counts, "first_byte_seconds_sum") == 200.15


@given(st.lists(st.floats(min_value=0, max_value=1000)))
def test_every_bucket_counts_durations_up_to_its_bound(times: list[float]) -> None:
    """Every bucket counts exactly the durations up to its bound."""
    histogram = Histogram()
    for seconds in times:
        histogram.add(seconds)
    (total,) = (s.value for s in histogram.family("t", "t").samples if s.name == "t_count")
    buckets = {s.labels["le"]: s.value for s in histogram.family("t", "t").samples if s.name == "t_bucket"}
    assert total == len(times)
    assert all(buckets[str(bound)] == sum(seconds <= bound for seconds in times) for bound in SECONDS)


def test_a_scraper_can_read_it() -> None:
    """The text is what Prometheus' own parser takes."""
    exporter = PrometheusExporter()
    exporter.counts.observe(record()._replace(duration=1.0), listed=LISTED)
    families = {
        each.name: each.type for each in text_string_to_metric_families(generate_latest(exporter.registry).decode())
    }
    assert families["gateway_requests"] == families["gateway_refused"] == "counter"
    assert families["gateway_request_seconds"] == "histogram"
    assert families["gateway_in_flight"] == "gauge"


def size(registry: CollectorRegistry) -> int:
    return sum(len(metric.samples) for metric in registry.collect())


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["gemini", "claude"]), st.text() | st.sampled_from(["one", "two"]))))
def test_names_that_clients_choose_are_no_labels(models: list[tuple[str, str]]) -> None:
    """Whatever models clients name, there are never more series than listed models and one `other` a provider."""
    exporter, bounded = PrometheusExporter(), PrometheusExporter()
    for provider, model in [("gemini", "one"), ("claude", "two"), ("gemini", "?"), ("claude", "?")]:
        bounded.counts.observe(record(provider, model), listed=LISTED)
    for provider, model in models:
        exporter.counts.observe(record(provider, model), listed=LISTED)
    assert size(exporter.registry) <= size(bounded.registry)
