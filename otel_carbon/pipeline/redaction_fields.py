"""Edits the spans and log records of one instrumentation scope: the fields that can hold content.

Attributes in an unusual encoding are read with protobuf. The numbers are those of opentelemetry-proto:

    Span:         name = 5, attributes = 9, events = 11, links = 13
    Span.Event:   name = 2, attributes = 3
    Span.Link:    attributes = 4
    LogRecord:    body = 5, attributes = 6, event_name = 12
    AnyValue:     string_value = 1, kvlist_value = 6
    KeyValueList: values = 1
"""

from __future__ import annotations

from typing import Any

from otel_carbon.pipeline.any_value import key_and_value, read_any_value, usual_parts
from otel_carbon.pipeline.attributes import AttributeReader
from otel_carbon.pipeline.attributes_encoding import encode_key_value
from otel_carbon.pipeline.redacted_values import Substitute, without_texts
from otel_carbon.pipeline.redaction_scan import first_to_edit
from otel_carbon.pipeline.wire_rewrite import Editor, delimited, delimited_fields, message_editor, rewritten
from otel_carbon.spans.content import Content, ContentKeys, ScopeContent

__all__ = ["ScopeEditor"]

_NAME, _ATTRIBUTES, _EVENTS, _LINKS = 0x2A, 0x4A, 0x5A, 0x6A  # tags of Span
_EVENT_NAME, _EVENT_ATTRIBUTES, _LINK_ATTRIBUTES = 0x12, 0x1A, 0x22
_BODY, _RECORD_ATTRIBUTES, _RECORD_NAME = 0x2A, 0x32, 0x62  # tags of LogRecord
_TEXT, _MAP, _PAIR = 0x0A, 0x32, 0x0A
_NOTHING_SAID: tuple[Any, ...] = (None, "", (), {})
_EVENT_NAME_KEY = "event.name"


class ScopeEditor:
    """Takes the content out of spans and log records of one scope. Without a `substitute` nothing takes its place."""

    def __init__(self, keys: ContentKeys, content: ScopeContent, substitute: Substitute | None) -> None:
        self.looks_at_all = content.is_special
        """Whether a span can have content under keys that are searched for nowhere else."""
        self._keys = keys
        self._content = content
        self._substitute = substitute
        self._names = AttributeReader((_EVENT_NAME_KEY,))
        self._event_editors = {_EVENT_ATTRIBUTES: self._attribute(_EVENT_ATTRIBUTES)}
        self._message_editors = {_EVENT_ATTRIBUTES: self._attribute(_EVENT_ATTRIBUTES, in_event=True)}
        self._span_editors: dict[int, Editor] = {
            _ATTRIBUTES: self._attribute(_ATTRIBUTES),
            _EVENTS: self._edit_event,
            _LINKS: message_editor(_LINKS, {_LINK_ATTRIBUTES: self._attribute(_LINK_ATTRIBUTES)}),
        }
        if content.name_endings:
            self._span_editors[_NAME] = self._edit_name
        pairs = message_editor(_MAP, {_PAIR: self._attribute(_PAIR)})
        self._record_editors = {
            _RECORD_ATTRIBUTES: self._attribute(_RECORD_ATTRIBUTES),
            _BODY: message_editor(_BODY, {_MAP: pairs}),
        }
        self._message_attribute = self._attribute(_RECORD_ATTRIBUTES, in_event=True)

    def span(self, body: bytes, start: int, end: int) -> bytes | None:
        """Return the span between two offsets without its content, or None where it has none.

        Raises:
            InvalidDataError: it is not a protobuf message.
        """
        first = first_to_edit(body, start, end, self._content.known, self._span_editors)
        return None if first == end else rewritten(body, start, end, self._span_editors, first)

    def record(self, body: bytes, start: int, end: int) -> bytes | None:
        """Return the log record between two offsets without its content, or None where it has none.

        Raises:
            InvalidDataError: it is not a protobuf message.
        """
        fields: dict[int, list[tuple[int, int]]] = {_BODY: [], _RECORD_ATTRIBUTES: [], _RECORD_NAME: []}
        delimited_fields(body, start, end, fields)
        attributes = self._names.read([body[first:last] for first, last in fields[_RECORD_ATTRIBUTES]])
        names = [_text(body[first:last]) for first, last in fields[_RECORD_NAME]]
        names.append(str(attributes.get(_EVENT_NAME_KEY, "")))
        if not any(map(self._keys.is_event, names)):
            return rewritten(body, start, end, self._record_editors)
        editors = {_RECORD_ATTRIBUTES: self._message_attribute}
        said = b"".join([body[first:last] for first, last in fields[_BODY]])  # a field that comes twice is merged
        value = read_any_value(said, 0, len(said))
        if value not in _NOTHING_SAID and value not in names:
            editors[_BODY] = self._body(value, fields[_BODY][0][0])
        return rewritten(body, start, end, editors)

    def _body(self, value: Any, first: int) -> Editor:
        substitute = self._substitute
        if substitute is None:
            return lambda _body, _start, _end: b""
        written = delimited(_BODY, delimited(_TEXT, substitute(value).encode()))
        return lambda _body, start, _end: written if start == first else b""

    def _edit_name(self, body: bytes, start: int, end: int) -> bytes | None:
        name = _text(body[start:end])
        for ending in self._content.name_endings:
            if name.endswith(ending):
                said = name.removesuffix(ending)
                written = ending.lstrip(".") if self._substitute is None else self._substitute(said) + ending
                return delimited(_NAME, written.encode())
        return None

    def _edit_event(self, body: bytes, start: int, end: int) -> bytes | None:
        fields: dict[int, list[tuple[int, int]]] = {_EVENT_NAME: []}
        delimited_fields(body, start, end, fields)
        has_messages = any(self._keys.is_event(_text(body[first:last])) for first, last in fields[_EVENT_NAME])
        edited = rewritten(body, start, end, self._message_editors if has_messages else self._event_editors)
        return None if edited is None else delimited(_EVENTS, edited)

    def _attribute(self, tag: int, *, in_event: bool = False) -> Editor:
        """Return the editor of an attribute, which is a `KeyValue`."""
        content_of, replaced = self._content.of, self._replaced
        drops = self._substitute is None

        def edit(body: bytes, start: int, end: int) -> bytes | None:
            try:
                key_end, value_start, value_end = usual_parts(body, start)
            except IndexError:
                key_end = value_start = value_end = -1
            if value_end != end:
                key, value = key_and_value(body[start:end])
                content = content_of(key, in_event=in_event)
                return None if content is Content.NONE else replaced(tag, key, content, value)
            key = body[start + 2 : key_end]
            content = content_of(key, in_event=in_event)
            if content is Content.NONE:
                return None
            if drops and content is Content.ALL:
                return b""
            return replaced(tag, key, content, read_any_value(body[value_start:end], 0, end - value_start))

        return edit

    def _replaced(self, tag: int, key: bytes, content: Content, value: Any) -> bytes | None:
        written: Any = None
        if content is Content.TEXTS:
            written = without_texts(value, self._keys.texts_read(_text(key)), self._substitute)
            if written is value and value is not None:
                return None
        if written is None:
            if self._substitute is None:
                return b""
            written = self._substitute(value)
        return delimited(tag, encode_key_value(key, written.encode("utf-8", "replace")))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
