"""The in-app path on the SDK versions that are in use, each in an environment of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).parent / "sdk_matrix"
SDKS = ("1.30.0", "1.33.1", "1.36.0", "1.39.1", "1.40.0", "1.42.1", "1.43.0", "1.44.0", "newest")
SWITCHES = ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "carbon"}, {"OTEL_CARBON_ENABLED": "false"})

_spec = importlib.util.spec_from_file_location("sdk_matrix_environment", _FOLDER / "environment.py")
assert _spec is not None
assert _spec.loader is not None
environment = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(environment)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment.build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", params=SDKS)
def python(request: pytest.FixtureRequest, wheel: Path) -> Path:
    return environment.python_of(request.param, wheel)


def _run(command: list[str | Path], folder: Path, **variables: str) -> tuple[str, str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "PYTHON"))}
    environ.update(variables)
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def _console(python: Path, folder: Path, **variables: str) -> list[dict[str, Any]]:
    """Return what an application prints through console exporters that has no line of otel-carbon."""
    console = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    command: list[str | Path] = [python.parent / "opentelemetry-instrument", "python", _FOLDER / "plain.py"]
    out, _ = _run(command, folder, **{"PATH": path, **console, **variables})
    return list(_documents(out))


def _exported(python: Path, folder: Path, **variables: str) -> dict[str, dict[str, Any]]:
    """Return the attributes of the spans that it exports, by name."""
    return {span["name"]: span["attributes"] for span in _console(python, folder, **variables)}


def _documents(text: str) -> Iterator[dict[str, Any]]:
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        document, position = decoder.raw_decode(text, position)
        yield document
        position += len(text[position:]) - len(text[position:].lstrip())


def test_one_line_is_enough(python: Path, tmp_path: Path) -> None:
    out, err = _run([python, "-W", "error::DeprecationWarning:otel_carbon", _FOLDER / "one_line.py"], tmp_path)

    seen = json.loads(out)
    enriched = [["GET /", None, 0, 0], ["chat", "estimated", 5, 0], ["full", "estimated", 128, 0]]
    assert seen["spans"] == {"simple": enriched, "batch": enriched, "flushed": True, "idempotent": True}
    assert seen["sampled_out"] == {"exported": 0, "counted": 3.0}
    assert seen["counters"] == {
        "exemplars": [True],
        "child": [[4.0, 4.0], [4.0, 4.0]],
        "parent": [[5.0, 5.0], [3.0, 3.0]],
        "histogram": [2, 11],
    }
    assert seen["ledger"] == "the in-app ledger needs the extra 'ledger': pip install 'otel-carbon[ledger]'"
    assert "without carbon" not in err


def test_no_line_is_enough_under_auto_instrumentation(python: Path, tmp_path: Path) -> None:
    spans = _exported(python, tmp_path, OTEL_CARBON_REGION="swedencentral")

    assert spans["GET /"] == {}
    assert spans["chat gpt-4o"]["gen_ai.usage.input_tokens"] == 1200
    assert spans["chat gpt-4o"]["otel_carbon.status"] == "estimated"
    assert spans["chat gpt-4o"]["otel_carbon.region.name"] == "swedencentral"


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: next(iter(switch)))
def test_it_can_be_switched_off(python: Path, tmp_path: Path, switch: dict[str, str]) -> None:
    spans = _exported(python, tmp_path, **switch)

    assert set(spans) == {"GET /", "chat gpt-4o"}
    assert not any(key.startswith("otel_carbon.") for attributes in spans.values() for key in attributes)


def test_a_switched_off_sdk_stays_off(python: Path, tmp_path: Path) -> None:
    assert _console(python, tmp_path, OTEL_SDK_DISABLED="true", OTEL_CARBON_LEDGER=str(tmp_path / "ledger.db")) == []


@pytest.mark.parametrize("name", ["always_off", "traceidratio", "parentbased_traceidratio", "keep_genai"])
def test_calls_that_are_sampled_out_are_counted_without_a_line(python: Path, tmp_path: Path, name: str) -> None:
    sampler = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": "0"}
    exported = _console(python, tmp_path, OTEL_METRICS_EXPORTER="console", **sampler)

    (metrics,) = [document for document in exported if "resource_metrics" in document]
    points = {
        metric["name"]: [point["value"] for point in metric["data"]["data_points"]]
        for scope in metrics["resource_metrics"][0]["scope_metrics"]
        for metric in scope["metrics"]
    }
    assert [document for document in exported if "trace_id" in document.get("context", {})] == []
    assert points["otel_carbon.enriched.spans"] == [1]
    assert sum(points["otel_carbon.tokens"]) == 1545


@pytest.mark.parametrize("off", [*SWITCHES, {"OTEL_CARBON_KEEP_GENAI": "false"}], ids=lambda switch: next(iter(switch)))
def test_the_sampler_is_left_alone_where_that_is_switched_off(
    python: Path, tmp_path: Path, off: dict[str, str]
) -> None:
    exported = _console(python, tmp_path, OTEL_METRICS_EXPORTER="console", OTEL_TRACES_SAMPLER="always_off", **off)

    assert "otel_carbon.enriched.spans" not in json.dumps(exported)


def test_a_wrong_setting_stops_neither_the_application_nor_its_spans(python: Path, tmp_path: Path) -> None:
    spans = _exported(python, tmp_path, OTEL_CARBON_GRID_INTENSITY="green")

    assert set(spans) == {"GET /", "chat gpt-4o"}
