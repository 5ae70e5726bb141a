"""The manifests as kustomize, which `kubectl apply -k` runs, renders them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

pytestmark = pytest.mark.e2e

_FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"


def test_the_rendered_manifests_fit_the_api_and_each_other(kustomize: Path) -> None:
    rendered = subprocess.run([kustomize, "build", _FOLDER], capture_output=True, text=True, check=True).stdout
    manifests = list(yaml.safe_load_all(rendered))
    for manifest in manifests:
        kubernetes_validate.validate(manifest, "1.36", strict=True)

    (pods,) = [one["spec"]["template"] for one in manifests if one["kind"] == "StatefulSet"]
    (service,) = [one["spec"] for one in manifests if one["kind"] == "Service"]
    (config,) = [one["metadata"]["name"] for one in manifests if one["kind"] == "ConfigMap"]
    assert service["selector"].items() <= pods["metadata"]["labels"].items()
    assert config in {volume.get("configMap", {}).get("name") for volume in pods["spec"]["volumes"]}
    assert pods["spec"]["containers"][0]["image"] == "otel-carbon:0.1.0"
