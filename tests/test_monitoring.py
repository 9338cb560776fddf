"""The alert rules, the Grafana dashboard and the profile that serves them, as far as they can be judged without their servers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from gateway.observability.prometheus import PrometheusExporter
from tests.documents import ROOT, quoted, table

CONFIG = ROOT / "config"
ALERTS = yaml.safe_load((CONFIG / "prometheus" / "alerts.yml").read_text())["groups"]
RULES = {rule["alert"]: rule for group in ALERTS for rule in group["rules"]}
DASHBOARD = json.loads((CONFIG / "grafana" / "dashboard.json").read_text())
TARGETS = [target for panel in DASHBOARD["panels"] for target in panel["targets"]]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PROFILE = {name: each for name, each in COMPOSE["services"].items() if each.get("profiles") == ["observability"]}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
SCRAPED = {"instance", "job"}  # labels that Prometheus adds


def exported() -> Mapping[str, str]:
    """Each name as it can be queried, with that of its row in the table of metrics."""
    return {
        metric.name + suffix: metric.name + ("_total" if metric.type == "counter" else "")
        for metric in PrometheusExporter().registry.collect()
        for suffix in SUFFIXES[metric.type]
    }


def labels_of(metric: str) -> set[str]:
    (cell,) = [row[1] for row in table("metrics.md", "metric") if quoted(row[0])[0] == metric]
    return set(quoted(cell.partition("(")[0] + cell.partition(")")[2]))


EXPRESSIONS = [*(rule["expr"] for rule in RULES.values()), *(target["expr"] for target in TARGETS)]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression_names_what_is_exported(expression: str) -> None:
    """An alert or a panel uses metrics that exist, with labels that they have, and its brackets are closed."""
    names = set(re.findall(r"gateway_[a-z0-9_]+", expression))
    assert names <= set(exported())
    assert names or expression.startswith("up{")
    labels = {label.strip() for found in re.findall(r"by \(([^)]+)\)", expression) for label in found.split(",")}
    labels.update(label for found in re.findall(r"{([^}]+)}", expression) for label in re.findall(r"(\w+)!?=", found))
    has = set().union(*(labels_of(exported()[name]) for name in names)) | SCRAPED
    assert labels <= has | ({"le"} if "_bucket" in expression else set())
    assert all(expression.count(opened) == expression.count(closed) for opened, closed in ("()", "[]", "{}"))


def test_every_metric_is_on_the_dashboard() -> None:
    """Nothing is exported that the dashboard leaves out."""
    shown = {exported()[name] for target in TARGETS for name in re.findall(r"gateway_[a-z0-9_]+", target["expr"])}
    assert shown == set(exported().values())


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target["expr"])
def test_legend_names_labels_that_remain(target: dict[str, Any]) -> None:
    """A panel's legend shows only labels by which its expression is grouped."""
    grouped = re.search(r"by \(([^)]+)\)", target["expr"])
    left = set(re.split(r",\s*", grouped[1])) if grouped else set()
    assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= left


@pytest.mark.parametrize("name", RULES)
def test_alert_says_what_is_wrong_and_how_bad(name: str) -> None:
    """Every alert has one of three severities and a sentence, whose labels its expression keeps."""
    rule = RULES[name]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    summary = rule["annotations"]["summary"]
    assert summary.endswith(".")
    kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]+)\)", rule["expr"]))))
    assert set(re.findall(r"\$labels\.(\w+)", summary)) <= (SCRAPED if name == "GatewayDown" else kept)


def test_panels_do_not_overlap() -> None:
    """Each panel has its own place and number."""
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_profile_is_reached_from_this_machine_only() -> None:
    """Prometheus and Grafana need the profile, listen on loopback, and have their keys from secrets."""
    assert set(PROFILE) == {"prometheus", "grafana"}
    assert [port.split(":")[0] for each in PROFILE.values() for port in each["ports"]] == ["127.0.0.1"] * 2
    assert all(set(each["secrets"]) <= set(COMPOSE["secrets"]) for each in PROFILE.values())
    password = PROFILE["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"]
    assert password == f"/run/secrets/{PROFILE['grafana']['secrets'][0]}"


def test_profile_mounts_what_is_there() -> None:
    """Each file that the profile mounts exists, and each named volume is declared."""
    sources = [volume.split(":")[0] for each in PROFILE.values() for volume in each["volumes"]]
    assert [name for name in sources if name.startswith("./") and not (ROOT / name).exists()] == []
    assert {name for name in sources if not name.startswith("./")} <= set(COMPOSE["volumes"])


def test_prometheus_scrapes_the_gateway() -> None:
    """Prometheus asks the service of Compose with the admin key, reads the mounted rules, and Grafana asks Prometheus."""
    settings = yaml.safe_load((CONFIG / "prometheus" / "prometheus.yml").read_text())
    (job,) = settings["scrape_configs"]
    assert job["static_configs"] == [
        {"targets": [f"gateway:{COMPOSE['services']['gateway']['environment']['GATEWAY_PORT']}"]}
    ]
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{PROFILE['prometheus']['secrets'][0]}"
    assert any(f":{settings['rule_files'][0]}:" in volume for volume in PROFILE["prometheus"]["volumes"])
    provisioning = CONFIG / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    (boards,) = yaml.safe_load((provisioning / "dashboards" / "gateway.yml").read_text())["providers"]
    assert source["url"] == "http://prometheus:9090"
    assert any(f":{boards['options']['path']}/" in volume for volume in PROFILE["grafana"]["volumes"])
