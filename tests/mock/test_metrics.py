"""Metrics: counters that add up, in a text that Prometheus reads, with the engine's names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mockserver.model.metrics import Metrics, Series

RECORDED = Path(__file__).resolve().parents[2] / "fixtures" / "recorded" / "engine-0.1.0" / "metrics.http"
LINE = re.compile(r'[a-z_:0-9]+(\{le="[0-9.+Inf]+"\})? -?[0-9.]+')


def test_the_names_are_those_of_the_engine() -> None:
    """Every line of help and type that the engine sends, in its order."""
    mine = [line for line in Metrics().text().splitlines() if line.startswith("#")]
    theirs = [line for line in RECORDED.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    assert mine[: len(theirs)] == theirs


def test_the_text_can_be_read() -> None:
    """Each line is a comment or a name with a number; histograms only rise and end at the count."""
    metrics = Metrics().served(prompt_tokens=3, tokens=4, ttft=0.02, gaps=[0.01, 0.01, 20.0], seconds=0.5).load(1, 2)
    text = metrics.text()
    assert all(line.startswith("# ") or LINE.fullmatch(line) for line in text.splitlines())
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values["inferneo_running_requests"] == "1"
    assert values["inferneo_waiting_requests"] == "2"
    assert values["inferneo_generation_tokens_total"] == "4"
    assert values["inferneo_generation_tokens_per_second"] == "8.0"
    assert values["inferneo_ttft_ms_p50"] == "20.0"
    assert values["inferneo_e2e_ms_p99"] == "500.0"
    buckets = [int(value) for name, value in values.items() if name.startswith("inferneo_inter_token_seconds_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == int(values["inferneo_inter_token_seconds_count"]) == 3
    assert buckets[-2] == 2
    assert float(values["inferneo_inter_token_seconds_sum"]) == pytest.approx(20.02)


def test_percentiles() -> None:
    """Of the last values; none, then 0."""
    assert Series().percentile(0.5) == 0.0
    assert Series().add([]) == Series()
    series = Series().add([float(number) for number in range(1, 101)])
    assert (series.percentile(0.5), series.percentile(0.99), series.percentile(1.0)) == (50.0, 99.0, 100.0)
    assert len(Series().add([1.0] * 9999).last) == 512


def test_totals() -> None:
    """The counters as `/stats` has them."""
    assert Metrics(prompt_tokens=1, generation_tokens=2, finished=3).totals() == {
        "prompt_tokens": 1,
        "generation_tokens": 2,
        "finished_requests": 3,
        "preemptions": 0,
    }
