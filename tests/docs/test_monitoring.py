"""Laws of the alert rules and the dashboard: they are well formed and ask for what there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from feedsvc.model.fleet_state import NO_FLEET
from feedsvc.runtime import open_runtime
from feedsvc.settings import Settings
from feedsvc.web.fleet_metrics import fleet_metrics
from feedsvc.web.health import Metrics

SERVE = Path(__file__).parents[2] / "docs" / "serve"
RULES = yaml.safe_load((SERVE / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))
SCRAPE = yaml.safe_load((SERVE / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8"))
DASHBOARD = json.loads((SERVE / "grafana" / "feedsvc.json").read_text(encoding="utf-8"))
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
# What Prometheus adds to whatever it scrapes; ours of the same name get this prefix.
_ADDED, _EXPORTED = {"instance", "job"}, "exported_"
_SERIES = re.compile(r"\b(feedsvc_\w+|up)\b(?:\{([^}]*)\})?")
_NAMED = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_AGGREGATE = re.compile(r"\b(?:max|min|sum|count|avg)\s*\(")
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return every metric that a web process has, with its labels."""
    root = tmp_path_factory.mktemp("site")
    with open_runtime(Settings(root=root, origins={})) as runtime:
        families = [*Metrics(runtime, {200: 1}).families()]
    families += fleet_metrics(NO_FLEET, datetime.now(UTC))
    found = {
        f"{one.name}_total" if one.type == "counter" else one.name: set(
            getattr(one, "_labelnames", ())
        )
        for one in families
    }
    return found | {"up": set()}


def wrong(expression: str, exported: dict[str, set[str]]) -> Iterator[str]:
    """Yield the metrics and labels of an expression that nothing has."""
    labels: set[str] = set()
    for name, matchers in _SERIES.findall(expression):
        if name not in exported:
            yield name
            continue
        labels |= exported[name]
        for matcher in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", matchers):
            if not known(matcher, exported[name]):
                yield f"{name}{{{matcher}}}"
    for group in _NAMED.findall(expression):
        for label in filter(None, map(str.strip, group.split(","))):
            if not known(label, labels):
                yield label


def known(label: str, labels: set[str]) -> bool:
    if label.startswith(_EXPORTED):
        own = label.removeprefix(_EXPORTED)
        return own in labels and own in _ADDED
    return label in _ADDED or label in labels


def balanced(expression: str) -> bool:
    open_ = []
    for character in re.sub(r'"[^"]*"', "", expression):
        if character in "([{":
            open_.append(")]}"["([{".index(character)])
        elif character in ")]}" and (not open_ or open_.pop() != character):
            return False
    return not open_


def panels() -> list[dict[str, Any]]:
    return [one for one in DASHBOARD["panels"] if one["type"] != "row"]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is_and_says_what_to_do(
    rule: dict[str, Any], exported: dict[str, set[str]]
) -> None:
    assert list(wrong(rule["expr"], exported)) == []
    assert balanced(rule["expr"])
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert _DURATION.fullmatch(rule.get("for", "1m"))
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "action"}


def test_what_an_alert_shows_of_a_series_is_a_label_that_its_expression_keeps(
    exported: dict[str, set[str]],
) -> None:
    for rule in ALERTS:
        shown = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        groups = _NAMED.findall(rule["expr"])
        kept = {label.strip() for group in groups for label in group.split(",")}
        if not groups and not _AGGREGATE.search(rule["expr"]):
            (name,) = {name for name, _ in _SERIES.findall(rule["expr"])}
            kept = {
                f"{_EXPORTED}{one}" if one in _ADDED else one for one in exported[name]
            } | _ADDED
        assert shown <= kept, rule["alert"]


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(names) == len(set(names))


def test_the_example_of_a_scrape_reads_the_rules_and_has_the_name_they_ask_for() -> None:
    assert [(SERVE / "prometheus" / one).is_file() for one in SCRAPE["rule_files"]] == [True]
    (job,) = SCRAPE["scrape_configs"]
    assert f'job="{job["job_name"]}"' in ALERTS[0]["expr"]


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_asks_for_what_there_is(
    panel: dict[str, Any], exported: dict[str, set[str]]
) -> None:
    for target in panel["targets"]:
        assert list(wrong(target["expr"], exported)) == []
        assert balanced(target["expr"])
        assert target["datasource"] == panel["datasource"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_the_dashboard_depends_on_no_other_grafana() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    assert "id" not in DASHBOARD
    numbers = [one["id"] for one in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource", "instance"]
    assert not re.search(r"https?://", json.dumps(DASHBOARD))


def test_no_panel_lies_over_another() -> None:
    taken: set[tuple[int, int]] = set()
    for one in DASHBOARD["panels"]:
        place = one["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, one["title"]
        taken |= cells


def test_every_metric_of_a_fleet_is_watched_somewhere(exported: dict[str, set[str]]) -> None:
    asked = " ".join(rule["expr"] for rule in ALERTS) + " ".join(
        target["expr"] for panel in panels() for target in panel["targets"]
    )
    names = {name for name, _ in _SERIES.findall(asked)}
    fleet = {
        f"{one.name}_total" if one.type == "counter" else one.name
        for one in fleet_metrics(NO_FLEET, datetime.now(UTC))
    }
    assert fleet - names == set()
