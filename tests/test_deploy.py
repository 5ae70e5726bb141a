"""The deployment files: valid for whoever reads them, and in agreement with the gateway and with each other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from gateway_process import run_cli

from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import GatewayConfig, read_config
from otel_carbon.pipeline.component import Kind
from otel_carbon.pipeline.duration import duration_s

_DEPLOY = Path(__file__).parents[1] / "deploy"
_CONFIGS = sorted(_DEPLOY.glob("**/gateway.yaml"))
_MANIFESTS = sorted(path for path in (_DEPLOY / "kubernetes").glob("*.yaml") if path.name != "gateway.yaml")
_KUBERNETES = ("1.32", "1.34", "1.36")
_RECEIVERS_S = 10.0  # what a receiver that stops waits at most for what it has begun
_BIN = Path(sys.executable).parent


def _load(name: str) -> Any:
    return yaml.safe_load((_DEPLOY / name).read_text(encoding="utf-8"))


def _config(path: Path) -> GatewayConfig:
    return read_config(path, {}, Catalogue.bundled())


def _ports(config: GatewayConfig) -> set[int]:
    otlp = config.components[Kind.RECEIVER]["otlp"].config.protocols
    endpoints = [otlp.grpc.endpoint, otlp.http.endpoint, config.service.web.endpoint]
    endpoints.append(config.components[Kind.EXPORTER]["prometheus"].config.endpoint)
    return {int(endpoint.rpartition(":")[2]) for endpoint in endpoints}


@pytest.mark.parametrize("path", _CONFIGS, ids=lambda path: path.parent.name)
def test_every_config_is_one_that_a_gateway_starts_with(path: Path) -> None:
    done = run_cli("validate", "--without-files", str(path))

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", _CONFIGS, ids=lambda path: path.parent.name)
def test_every_pipeline_guards_the_memory_first(path: Path) -> None:
    for pipeline in _config(path).service.pipelines.values():
        assert pipeline.processors[0] == "memory_limiter"


def test_the_configs_of_image_and_cluster_are_the_same_but_for_their_first_line() -> None:
    docker, kubernetes = ((_DEPLOY / name / "gateway.yaml").read_text("utf-8") for name in ("docker", "kubernetes"))

    assert docker.split("\n", 1)[1] == kubernetes.split("\n", 1)[1]


def test_every_platform_waits_for_a_gateway_that_drains() -> None:
    needed_s = _RECEIVERS_S + max(duration_s(_config(path).service.drain_timeout, "x") for path in _CONFIGS)
    unit = (_DEPLOY / "systemd" / "otel-carbon.service").read_text("utf-8")
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    pod = _load("kubernetes/stateful-set.yaml")["spec"]["template"]["spec"]
    waits_s = [
        float(stop[1]) if stop else 0.0,
        duration_s(_load("docker/compose.yaml")["services"]["gateway"]["stop_grace_period"], "x"),
        pod["terminationGracePeriodSeconds"],
    ]

    assert min(waits_s) > needed_s


# ---- systemd --------------------------------------------------------------------------------------------------------


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return the unit with the programs of this environment in the place of those in /opt."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    text = (_DEPLOY / "systemd" / "otel-carbon.service").read_text("utf-8")
    path = tmp_path / "otel-carbon.service"
    path.write_text(text.replace("/opt/otel-carbon/bin/", f"{_BIN}/"), encoding="utf-8")
    return path


def test_systemd_understands_every_line_of_the_unit(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)

    assert (done.returncode, [line for line in done.stderr.splitlines() if "otel-carbon" in line]) == (0, [])


def test_systemd_finds_the_unit_well_confined(unit: Path) -> None:
    """Exposure goes from 0 to 10; below 2 is what it calls OK."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


# ---- containers -----------------------------------------------------------------------------------------------------


def _instructions() -> list[tuple[str, str]]:
    text = (_DEPLOY / "docker" / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def test_the_image_runs_as_nobody_and_is_watched() -> None:
    instructions = _instructions()
    last = len(instructions) - 1 - [name for name, _ in reversed(instructions)].index("FROM")
    names = dict(instructions[last:])

    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", names["USER"])
    assert "/healthz" in names["HEALTHCHECK"]
    assert {int(port) for port in names["EXPOSE"].split()} == _ports(_config(_DEPLOY / "docker" / "gateway.yaml"))
    assert {"RUN", "ADD"} & set(names) == set()  # nothing is built or fetched in what is shipped


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    ignored = (_DEPLOY / "docker" / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    copied = [text.split()[:-1] for name, text in _instructions() if name == "COPY" and "--from" not in text]

    assert ignored[0] == "*"
    for source in (source for sources in copied for source in sources):
        assert (_DEPLOY.parent / source).exists()
        assert f"!{source.removeprefix('./')}" in ignored


def test_the_compose_file_fits_its_schema() -> None:
    path = str(_DEPLOY / "docker" / "compose.yaml")
    command = [_BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_the_compose_file_publishes_on_loopback_what_the_gateway_listens_on() -> None:
    gateway = _load("docker/compose.yaml")["services"]["gateway"]
    published = [str(port).split(":") for port in gateway["ports"]]

    assert {address for address, _, _ in published} == {"127.0.0.1"}
    assert {int(port) for _, _, port in published} == _ports(_config(_DEPLOY / "docker" / "gateway.yaml"))


# ---- Kubernetes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", _KUBERNETES)
@pytest.mark.parametrize("path", _MANIFESTS, ids=lambda path: path.stem)
def test_every_manifest_fits_the_api_of_kubernetes(path: Path, version: str) -> None:
    if path.stem == "kustomization":
        assert set(yaml.safe_load(path.read_text("utf-8"))["resources"]) == {p.name for p in _MANIFESTS if p != path}
        return
    manifest = yaml.safe_load(path.read_text("utf-8"))
    if path.stem == "stateful-set":  # kustomize puts the labels in
        labels = {"app.kubernetes.io/name": "otel-carbon"}
        manifest["spec"]["selector"] = {"matchLabels": labels}
        manifest["spec"]["template"]["metadata"] = {"labels": labels}

    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_pods_may_run_where_pods_are_restricted_and_listen_where_they_are_asked() -> None:
    pod = _load("kubernetes/stateful-set.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert set(ports.values()) == _ports(_config(_DEPLOY / "kubernetes" / "gateway.yaml"))
    assert {port["port"] for port in _load("kubernetes/service.yaml")["spec"]["ports"]} == set(ports.values())
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert ports[container[probe]["httpGet"]["port"]] == 8080
