"""Raw model names as instrumentation writes them, taken apart by the rules in `data/name_rules.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from otel_carbon.errors import FactorError
from otel_carbon.factors.files import read_toml

__all__ = ["MAX_NAME_CHARACTERS", "ModelName", "NameRules", "cut", "load_name_rules", "normalise"]

MAX_NAME_CHARACTERS = 512
"""What is looked at of a name. The longest real ones, Bedrock and Vertex resource names, have about 200."""

_ARN = re.compile(r"^arn:[a-z-]+:bedrock:([a-z0-9-]*):\d*:([a-z-]+)/(.+)$")
_VERTEX = re.compile(r"^(?:.*/)?locations/([a-z0-9-]+)/(?:publishers/([^/]+)/models|endpoints|models)/([^/]+)$")
_CLOUD_REGION = re.compile(r"^[a-z]{2}(?:-[a-z]+)+-\d$")
_MULTI_REGIONS = frozenset({"global", "us", "eu"})
_REWRITES_AT_MOST = 8  # a name with more endings than this is not a name


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model name without what says nothing about the model, and what those parts said."""

    name: str
    host_provider: str | None = None
    """Who serves it, where the name says so."""
    vendor: str | None = None
    """Who made it."""
    profile: str | None = None
    """Inference profile or data zone (`us.`, `azure-datazone-eu`)."""
    region: str | None = None
    fine_tuned: bool = False


@dataclass(frozen=True, slots=True)
class NameRules:
    """The rules as data: prefixes by what they say, and endings to drop."""

    hosts: Mapping[str, str]
    paths: Mapping[str, str]
    vendors: Mapping[str, str]
    azure_zones: Mapping[str, str]
    bedrock_id: re.Pattern[str]
    bedrock_vendors: Mapping[str, str]
    bedrock_rewrites: tuple[tuple[re.Pattern[str], str], ...]
    rewrites: tuple[tuple[re.Pattern[str], str], ...]


def load_name_rules(path: Path) -> NameRules:
    """Read the rules.

    Raises:
        FactorError: a table is missing or a pattern is invalid.
    """
    tables: dict[str, Any] = read_toml(path)
    try:
        geos = "|".join(sorted(tables["bedrock"]["geos"], key=len, reverse=True))
        vendors = "|".join(sorted(tables["bedrock_vendors"], key=len, reverse=True))
        return NameRules(
            hosts=tables["hosts"],
            paths=tables["paths"],
            vendors=tables["vendors"],
            azure_zones=tables["azure_zones"],
            bedrock_id=re.compile(rf"^(?:({geos})\.)?({vendors})\.(.+)$"),
            bedrock_vendors=tables["bedrock_vendors"],
            bedrock_rewrites=_rewrites(tables["bedrock_rewrite"]),
            rewrites=_rewrites(tables["rewrite"]),
        )
    except (KeyError, re.error) as error:
        raise FactorError(f"{path.name}: {error}") from error


def cut(raw: str | None) -> str | None:
    """Return at most the first `MAX_NAME_CHARACTERS` of a text, so that an absurd one costs nothing."""
    return raw if raw is None or len(raw) <= MAX_NAME_CHARACTERS else raw[:MAX_NAME_CHARACTERS]


def normalise(raw: str, rules: NameRules) -> ModelName:
    """Return a raw model name taken apart. Never raises, whatever the text is."""
    text = "".join(character for character in raw[:MAX_NAME_CHARACTERS] if character.isprintable()).strip().lower()
    found = _resource(ModelName(text))
    found = _without_prefixes(found, rules)
    found = _without_fine_tuning(found)
    found = _bedrock(found, rules)
    return replace(found, name=_rewritten(found.name, rules.rewrites))


def _resource(found: ModelName) -> ModelName:
    """Take an Amazon resource name or a Vertex resource path apart."""
    if arn := _ARN.match(found.name):
        region, kind, identifier = arn.groups()
        # A custom model's name begins with that of its base model.
        name = identifier.split("/")[0] if kind == "custom-model" else identifier.rsplit("/", 1)[-1]
        return ModelName(name, "aws.bedrock", region=region or None, fine_tuned=kind == "custom-model")
    if path := _VERTEX.match(found.name):
        location, publisher, name = path.groups()
        everywhere = location in _MULTI_REGIONS
        profile = "gcp-global" if location == "global" else None
        return ModelName(name, "gcp.vertex_ai", publisher, profile, None if everywhere else location)
    return found


def _without_prefixes(found: ModelName, rules: NameRules) -> ModelName:
    """Strip what stands before slashes: the first who serves, and who made the model."""
    for prefix, provider in rules.paths.items():
        if found.name.startswith(prefix):
            found = replace(found, name=found.name[len(prefix) :], host_provider=found.host_provider or provider)
    while "/" in found.name:
        head, _, rest = found.name.partition("/")
        found = _said_by(head, replace(found, name=rest), rules)
    return found


def _said_by(head: str, found: ModelName, rules: NameRules) -> ModelName:
    if found.host_provider == "azure.ai.openai" and head in rules.azure_zones:
        return replace(found, profile=rules.azure_zones[head])
    if found.host_provider == "aws.bedrock" and _CLOUD_REGION.match(head):
        return replace(found, region=head)
    if found.host_provider is None and head in rules.hosts:
        return replace(found, host_provider=rules.hosts[head] or None)
    vendor = rules.vendors.get(head) or rules.hosts.get(head)
    return replace(found, vendor=vendor) if vendor else found


def _without_fine_tuning(found: ModelName) -> ModelName:
    """Return the base of `ft:base:organisation:name:id`: fine-tuning does not change the energy per token."""
    if not found.name.startswith("ft:"):
        return found
    return replace(found, name=found.name.split(":")[1], fine_tuned=True)


def _bedrock(found: ModelName, rules: NameRules) -> ModelName:
    """Take an Amazon Bedrock model id apart: `geo.vendor.model-v1:0`."""
    parts = rules.bedrock_id.match(found.name)
    if parts is None:
        return found
    geo, vendor, name = parts.groups()
    for pattern, replacement in rules.bedrock_rewrites:
        name = pattern.sub(replacement, name)
    return replace(
        found,
        name=name,
        host_provider="aws.bedrock",
        vendor=rules.bedrock_vendors[vendor],
        profile=f"{geo}." if geo else found.profile,
        # A profile may run elsewhere than where it was called.
        region=None if geo else found.region,
    )


def _rewritten(name: str, rewrites: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    for _ in range(_REWRITES_AT_MOST):
        before = name
        for pattern, replacement in rewrites:
            name = pattern.sub(replacement, name)
        if name == before:
            break
    return name


def _rewrites(rules: list[dict[str, str]]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(rule["pattern"]), rule["replace"]) for rule in rules)
