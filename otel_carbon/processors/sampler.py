"""Head sampling hides spans from every processor. This wrapper shows the GenAI ones, and exports no more of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

from otel_carbon.errors import ConfigError

if TYPE_CHECKING:
    from otel_carbon.spans import SpanReader

__all__ = ["KeepGenAI", "keep_genai"]

_SPAN_NAME_PREFIXES = ("chat ", "embeddings ", "generate_content ", "text_completion ")
"""Names of inference spans as the GenAI convention writes them: `{operation} {model}`."""

_OTHER_NAMES = re.compile(
    r"\w+\.(?:chat|completion|embeddings)|openai\.response"  # OpenLLMetry: `anthropic.chat`, `ChatOpenAI.chat`
    r"|Chat[A-Z]\w+"  # OpenInference: the model's class in LangChain
    r"|litellm_request"
)
"""Names of inference spans that start without any attribute of GenAI, by those who emit them."""


class KeepGenAI(Sampler):
    """Records GenAI spans that the inner sampler drops, without exporting them.

    A dropped span never reaches a span processor, so the totals of a sampled application would fall by the sampling
    rate. `RECORD_ONLY` hands it to the processors, and the exporting ones leave it out: they look at the sampled flag.

    A span is recognised by the attributes it is started with, which the GenAI convention asks instrumentations to
    give, by a name of the convention's form, or by the name of a library that gives neither.
    """

    def __init__(self, inner: Sampler, *, reader: SpanReader | None = None) -> None:
        from otel_carbon.spans import SpanReader  # noqa: PLC0415 - importing this module stays cheap without it

        self._inner = inner
        self._reader = reader or SpanReader.bundled()

    def should_sample(  # noqa: PLR0917 - the signature is the SDK's
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return the inner decision, with `DROP` turned into `RECORD_ONLY` for a GenAI span."""
        # Samplers written against older SDKs do not know the last argument, which the SDK itself never passes.
        rest = () if trace_state is None else (trace_state,)
        result = self._inner.should_sample(parent_context, trace_id, name, kind, attributes, links, *rest)
        if result.decision is not Decision.DROP or not self._is_genai(name, attributes):
            return result
        kept = {**(attributes or {}), **(result.attributes or {})}
        return SamplingResult(Decision.RECORD_ONLY, kept, result.trace_state)

    def get_description(self) -> str:
        """Return the name of this sampler and of the one inside."""
        return f"KeepGenAI{{{self._inner.get_description()}}}"

    def _is_genai(self, name: str, attributes: Attributes) -> bool:
        return (
            name.startswith(_SPAN_NAME_PREFIXES)
            or self._reader.looks_genai(attributes or {})
            or _OTHER_NAMES.fullmatch(name) is not None
        )


def keep_genai(argument: str | None = None) -> KeepGenAI:
    """Return the sampler that `OTEL_TRACES_SAMPLER=keep_genai` names.

    `argument` is `OTEL_TRACES_SAMPLER_ARG`: the share of traces to export, 1.0 when it is not given. The parent's
    decision is followed, as by `parentbased_traceidratio`.

    Raises:
        ConfigError: the argument is not a number from 0 to 1.
    """
    try:
        exported_ratio = float(argument or 1.0)
    except ValueError:
        exported_ratio = -1.0
    if not 0.0 <= exported_ratio <= 1.0:
        raise ConfigError(f"OTEL_TRACES_SAMPLER_ARG: {argument!r} is not a share; give a number from 0 to 1")
    return KeepGenAI(ParentBased(TraceIdRatioBased(exported_ratio)))
