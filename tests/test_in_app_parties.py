"""Who a call is accounted to inside an application: the span says so, then its baggage, then the resource."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry import baggage, context
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otel_carbon.errors import ConfigError
from otel_carbon.model import Attribution, Sighting
from otel_carbon.processors.install import install
from otel_carbon.processors.parties import PartySettings

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.output_tokens": 34,
}


class App:
    """An application that keeps what its ledger is told."""

    def __init__(self, resource: Mapping[str, Any] | None = None, **options: Any) -> None:
        self.sightings: list[Sighting] = []
        self.provider = TracerProvider(resource=Resource(dict(resource or {})), shutdown_on_exit=False)
        self.processor = install(self.provider, ledger=self, metrics=False, **options)
        self.tracer = self.provider.get_tracer("app")

    def submit(self, sighting: Sighting) -> bool:
        self.sightings.append(sighting)
        return True

    def flush(self, timeout_s: float) -> bool:
        return timeout_s > 0

    def close(self) -> None:
        """Nothing is open."""

    def call(self, attributes: Mapping[str, Any] | None = None, carrying: Context | None = None) -> Attribution:
        self.tracer.start_span("chat", carrying, attributes={**CHAT, **(attributes or {})}).end()
        return self.sightings[-1].attribution


def bag(**entries: str) -> Context:
    carrying = Context()
    for key, value in entries.items():
        carrying = baggage.set_baggage(key.replace("__", "."), value, carrying)
    return carrying


@pytest.mark.parametrize("key", ["otel_carbon.tenant", "tenant.id"])
def test_the_span_is_believed_before_the_baggage_and_the_baggage_before_the_resource(key: str) -> None:
    app = App({"otel_carbon.tenant": "of-resource"})
    of_baggage = bag(otel_carbon__tenant="of-baggage")

    assert app.call().tenant == "of-resource"
    assert app.call(carrying=of_baggage).tenant == "of-baggage"
    assert app.call({key: "of-span"}, of_baggage).tenant == "of-span"


def test_nothing_that_leads_to_a_person_is_taken_unless_it_is_configured() -> None:
    identifying = {"enduser.id": "u", "user.id": "u", "gen_ai.conversation.id": "c", "session.id": "s"}
    of_baggage = bag(enduser__id="u", user__id="u", tenant__id="t")
    configured = App(
        attribution={"user": ["enduser.id"], "conversation": ["gen_ai.conversation.id"]}, baggage_keys=["enduser.id"]
    )

    assert App().call(identifying, of_baggage) == Attribution()
    assert configured.call(carrying=of_baggage).user == "u"
    assert configured.call(identifying) == Attribution(user="u", conversation="c")


def test_a_span_that_ends_in_another_context_has_the_baggage_of_its_own() -> None:
    app = App()
    token = context.attach(bag(otel_carbon__tenant="first"))
    span = app.tracer.start_span("chat", attributes=CHAT)
    context.detach(token)
    token = context.attach(bag(otel_carbon__tenant="second"))
    worker = threading.Thread(target=span.end)
    worker.start()
    worker.join()
    span = app.tracer.start_span("chat", attributes=CHAT)
    context.detach(token)
    span.end()

    assert [sighting.attribution.tenant for sighting in app.sightings] == ["first", "second"]


def test_baggage_of_spans_that_end_is_forgotten_and_that_of_others_is_bounded() -> None:
    app = App()
    assert app.processor is not None
    noted = app.processor._noted
    of_baggage = bag(otel_carbon__tenant="acme")
    app.call(carrying=of_baggage)
    app.tracer.start_span("GET /", of_baggage).end()
    assert noted == {}

    open_spans = [app.tracer.start_span("GET /", of_baggage) for _ in range(8200)]
    assert len(noted) == 8192
    for span in open_spans:
        span.end()
    assert noted == {}


def test_a_very_long_entry_is_cut() -> None:
    assert App().call(carrying=bag(otel_carbon__project="p" * 5000)).project == "p" * 256


def test_the_environment_configures_what_the_arguments_do_not() -> None:
    settings = PartySettings.of(
        {
            "OTEL_CARBON_ATTRIBUTION": "tenant=app.tenant, tenant=org.id,user=enduser.id",
            "OTEL_CARBON_BAGGAGE_KEYS": "app.tenant",
            "OTEL_CARBON_METRICS_ATTRIBUTES": "tenant,agent",
            "OTEL_CARBON_METRICS_ATTRIBUTE_LIMIT": "20",
        },
        metrics_attributes=["project"],
    )

    assert (settings.rules.tenant, settings.rules.user) == (("app.tenant", "org.id"), ("enduser.id",))
    assert settings.rules.project == ("otel_carbon.project", "project.id")
    assert settings.baggage_keys == ("app.tenant",)
    assert (settings.metrics_attributes, settings.metrics_attribute_limit) == (("project",), 20)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"OTEL_CARBON_ATTRIBUTION": "tenant"}, "'tenant' is not party=key; write for example tenant=app.tenant"),
        ({"OTEL_CARBON_ATTRIBUTION": "owner=x"}, "unknown party 'owner', known are service"),
        ({"OTEL_CARBON_METRICS_ATTRIBUTES": "user"}, "'user' is none of service, environment, tenant"),
        ({"OTEL_CARBON_METRICS_ATTRIBUTE_LIMIT": "many"}, "'many' is not a number from 1 on"),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PartySettings.of(environ)


def test_a_baggage_key_that_names_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"baggage_keys: 'enduser\.id' names nobody; name it in attribution too"):
        App(baggage_keys=["enduser.id"])
