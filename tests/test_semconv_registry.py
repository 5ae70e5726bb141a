"""The registry in semconv/: its form, its names, and that code and documentation say the same."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from regopy import Interpreter

from otel_carbon.model import Confidence, Status
from otel_carbon.semconv import carbon, gen_ai

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "semconv" / "model"
RULES = Path(__file__).parent / "semconv"
DEFINITIONS = ["registry", "spans", "metrics"]


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((MODEL / f"{name}.yaml").read_text(encoding="utf-8"))
    return document


def registry() -> dict[str, Any]:
    """The registry as Weaver hands it to a policy: every definition of every file."""
    parts = [load(name) for name in DEFINITIONS]
    return {
        kind: [node for part in parts for node in part.get(kind, [])]
        for kind in ("attributes", "attribute_groups", "metrics", "spans", "events", "entities")
    }


def findings(definitions: dict[str, Any]) -> list[str]:
    """The ids of what Weaver's naming policies find."""
    rego = Interpreter()
    for policy in sorted((RULES / "policies").glob("*.rego")):
        rego.add_module(policy.stem, policy.read_text(encoding="utf-8"))
    rego.set_input({"registry": definitions})
    # Only the ids: the messages quote names in a way that the engine's own JSON cannot carry.
    (found,) = rego.query("[finding.id | finding := data.after_resolution.deny[_]]").results[0].expressions
    return sorted(set(found))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_file_follows_weavers_schema(name: str) -> None:
    schema = json.loads((RULES / "semconv.schema.v2.json").read_text(encoding="utf-8"))

    assert [error.message for error in Draft202012Validator(schema).iter_errors(load(name))] == []


def test_the_manifest_names_a_versioned_schema_and_pins_what_it_depends_on() -> None:
    manifest = load("manifest")
    (dependency,) = manifest["dependencies"]

    assert re.fullmatch(r"https://[\w.-]+/schemas/otel-carbon-dev/\d+\.\d+\.\d+-dev", manifest["schema_url"])
    assert re.search(r"\.git@[0-9a-f]{40}\[model\]$", dependency["registry_path"])


def test_weavers_naming_policies_find_nothing() -> None:
    assert findings(registry()) == []


def test_weavers_naming_policies_do_find_bad_names() -> None:
    bad = registry()
    bad["attributes"] = [
        *bad["attributes"],
        {"key": "Bad", "type": "string"},
        {"key": "otel_carbon.status.more", "type": "string"},
        {"key": "otel_carbon.factor_set", "type": "string"},
    ]
    bad["metrics"] = [{"name": "otel_carbon.Tokens", "brief": "No full stop"}]

    assert findings(bad) == [
        "naming_convention_attr_has_namespace",
        "naming_convention_attribute_constant_collision",
        "naming_convention_attribute_namespace_collision",
        "naming_convention_metric_brief_period",
        "naming_convention_metric_name",
    ]


def test_every_name_is_in_our_namespace() -> None:
    names = [node["key"] for node in registry()["attributes"]] + [node["name"] for node in registry()["metrics"]]

    assert [name for name in names if not name.startswith("otel_carbon.")] == []


def test_every_reference_is_defined_here_or_in_the_genai_conventions() -> None:
    known = {node["key"] for node in registry()["attributes"]} | {
        gen_ai.GEN_AI_OPERATION_NAME,
        gen_ai.GEN_AI_PROVIDER_NAME,
        gen_ai.GEN_AI_RESPONSE_MODEL,
    }
    groups = {node["id"] for node in registry()["attribute_groups"]}
    references = [
        reference for node in registry()["attribute_groups"] + registry()["metrics"] for reference in node["attributes"]
    ]

    assert {reference["ref"] for reference in references if "ref" in reference} <= known
    assert {reference["ref_group"] for reference in references if "ref_group" in reference} <= groups


def test_the_generated_files_are_up_to_date() -> None:
    check = subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate-semconv", "--check"], capture_output=True, text=True, check=False
    )

    assert (check.returncode, check.stderr) == (0, "")


def test_the_check_notices_a_file_that_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = (ROOT / "scripts" / "generate-semconv").read_text(encoding="utf-8")
    for folder in ("scripts", "docs", "otel_carbon/semconv", "semconv"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "semconv" / "model").symlink_to(MODEL)
    script = tmp_path / "scripts" / "generate_semconv.py"
    script.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("generate_semconv", script)
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)

    assert generator.main(["--check"]) == 1
    assert "otel_carbon/semconv/carbon.py is out of date" in capsys.readouterr().err
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
    assert (tmp_path / "docs" / "attributes.md").read_text() == (ROOT / "docs" / "attributes.md").read_text()


def members(key: str) -> list[str]:
    (node,) = (node for node in registry()["attributes"] if node["key"] == key)
    return [member["value"] for member in node["type"]["members"]]


def test_the_values_of_the_enumerations_are_those_of_the_program() -> None:
    assert members(carbon.OTEL_CARBON_STATUS) == [status.value for status in Status]
    assert members(carbon.OTEL_CARBON_CONFIDENCE) == [confidence.value for confidence in Confidence]
    assert members(carbon.OTEL_CARBON_TOKEN_KIND) == [
        "uncached_input",
        "cache_read",
        "cache_write",
        "visible_output",
        "reasoning",
    ]


def test_every_metric_has_its_instrument_and_unit() -> None:
    assert {metric.name: (metric.instrument, metric.unit) for metric in carbon.METRICS.values()} == {
        "otel_carbon.co2e": ("counter", "g"),
        "otel_carbon.co2e.low": ("counter", "g"),
        "otel_carbon.co2e.high": ("counter", "g"),
        "otel_carbon.co2e.reversed": ("counter", "g"),
        "otel_carbon.energy": ("counter", "J"),
        "otel_carbon.energy.low": ("counter", "J"),
        "otel_carbon.energy.high": ("counter", "J"),
        "otel_carbon.tokens": ("counter", "{token}"),
        "otel_carbon.energy.reversed": ("counter", "J"),
        "otel_carbon.calls": ("counter", "{call}"),
        "otel_carbon.calls.reversed": ("counter", "{call}"),
        "otel_carbon.grid.energy": ("counter", "J"),
        "otel_carbon.grid.co2e": ("counter", "g"),
        "otel_carbon.cache.avoided.co2e": ("counter", "g"),
        "otel_carbon.cache.avoided.energy": ("counter", "J"),
        "otel_carbon.enriched.spans": ("counter", "{span}"),
        "otel_carbon.operation.co2e": ("histogram", "g"),
    }


def test_the_histogram_brings_the_boundaries_of_its_buckets() -> None:
    histogram = carbon.METRICS[carbon.METRIC_OTEL_CARBON_OPERATION_CO2E]

    assert histogram.bucket_boundaries == (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


def test_a_constant_is_its_key_in_upper_case() -> None:
    constants = {name: value for name, value in vars(carbon).items() if name.startswith("OTEL_CARBON_")}

    assert constants == {node["key"].replace(".", "_").upper(): node["key"] for node in registry()["attributes"]}


def test_the_names_that_are_read_are_loaded_without_yaml() -> None:
    loaded = "import sys, otel_carbon.semconv.carbon, otel_carbon.semconv.gen_ai; print('yaml' in sys.modules)"

    assert (
        subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "False\n"
    )
