"""Who a call is accounted to."""

from __future__ import annotations

from otel_carbon.model import Attribution
from otel_carbon.spans import AttributionRules, SpanReader


def test_nothing_is_attributed_where_nothing_is_named() -> None:
    assert SpanReader.bundled().attribution({}, {}) == Attribution()


def test_the_default_keys_are_read_from_span_and_resource() -> None:
    resource = {
        "service.name": "shop",
        "deployment.environment.name": "prod",
        "otel_carbon.tenant": "acme",
        "k8s.deployment.name": "shop-api",
    }

    assert SpanReader.bundled().attribution({"otel_carbon.project": "search"}, resource) == Attribution(
        service="shop", environment="prod", tenant="acme", project="search", workload="shop-api"
    )


def test_the_span_is_asked_before_the_resource_and_the_better_key_before_the_other() -> None:
    attributes = {"tenant.id": "from-span"}
    resource = {"tenant.id": "from-resource", "deployment.environment": "old", "otel_carbon.workload": "w"}

    assert SpanReader.bundled().attribution(attributes, resource) == Attribution(
        tenant="from-span", environment="old", workload="w"
    )


def test_an_end_user_is_recorded_only_when_a_key_is_configured() -> None:
    attributes = {"user.id": "u1", "enduser.id": "u2", "enduser.pseudo.id": "p3"}
    configured = AttributionRules(user=("enduser.pseudo.id",))

    assert SpanReader.bundled().attribution(attributes, {}) == Attribution()
    assert SpanReader.bundled(configured).attribution(attributes, {}) == Attribution(user="p3")


def test_an_agent_is_known_by_its_name_and_else_by_its_id() -> None:
    named = {"gen_ai.agent.id": "asst_1", "gen_ai.agent.name": "researcher", "gen_ai.conversation.id": "c1"}

    assert SpanReader.bundled().attribution(named, {}) == Attribution(agent="researcher")
    assert SpanReader.bundled().attribution({"gen_ai.agent.id": "asst_1"}, {}) == Attribution(agent="asst_1")


def test_a_conversation_is_recorded_only_when_a_key_is_configured() -> None:
    configured = AttributionRules(conversation=("gen_ai.conversation.id",))
    attributes = {"gen_ai.conversation.id": "c1"}

    assert SpanReader.bundled().attribution(attributes, {}) == Attribution()
    assert SpanReader.bundled(configured).attribution(attributes, {}) == Attribution(conversation="c1")


def test_the_reader_looks_at_every_key_of_every_rule() -> None:
    rules = AttributionRules(("s",), ("e",), ("t",), ("p",), ("w",), ("u",), ("a",), ("c",))

    assert rules.keys() == frozenset("septuwac")


def test_a_value_that_is_no_name_gives_way_to_the_next_key() -> None:
    attributes = {"otel_carbon.tenant": 7, "tenant.id": "  "}

    assert SpanReader.bundled().attribution(attributes, {"tenant.id": "acme"}) == Attribution(tenant="acme")
