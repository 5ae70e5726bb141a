"""Message classes for reading OTLP at C speed, built from the descriptors of `opentelemetry-proto`.

They differ from the published classes in two ways. Strings are read as bytes: a string that is not UTF-8, as some SDKs
leave behind when they cut a long value, must not cost a whole request. And `SpanView` leaves attributes encoded, so
that only those that are looked at become Python objects.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, Protocol, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import Default, DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from otel_carbon.errors import InvalidDataError
from otel_carbon.pipeline.pdata import Signal

__all__ = [
    "REQUESTS",
    "MessageType",
    "ResourceView",
    "SpanView",
    "descriptor",
    "lenient",
    "read",
    "resource_view",
    "span_view",
]

REQUESTS: Mapping[Signal, str] = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest",
}
"""Full name of the request message per signal."""

# In the order in which they import each other.
_MODULES = (
    common_pb2,
    resource_pb2,
    trace_pb2,
    metrics_pb2,
    logs_pb2,
    trace_service_pb2,
    metrics_service_pb2,
    logs_service_pb2,
)
_VIEWS = "otel_carbon.views"
_VIEWED_FIELDS: Mapping[str, Collection[str]] = {
    "Resource": ("attributes",),
    "Span": (
        "trace_id",
        "span_id",
        "trace_state",
        "parent_span_id",
        "name",
        "kind",
        "start_time_unix_nano",
        "end_time_unix_nano",
        "attributes",
        "status",
    ),
}


class MessageType(Protocol):
    """A message class; `FromString` raises DecodeError."""

    def FromString(self, serialized: bytes, /) -> Any:  # noqa: N802 - the name is protobuf's
        """Return the message."""
        ...


class _StatusView(Protocol):
    code: int


class SpanView(Protocol):
    """What is read of a span. `attributes` are encoded `KeyValue` messages."""

    trace_id: bytes
    span_id: bytes
    trace_state: bytes
    parent_span_id: bytes
    name: bytes
    kind: int
    start_time_unix_nano: int
    end_time_unix_nano: int
    attributes: Sequence[bytes]
    status: _StatusView


class ResourceView(Protocol):
    """What is read of a resource. `attributes` are encoded `KeyValue` messages."""

    attributes: Sequence[bytes]


def descriptor(name: str) -> Descriptor:
    """Return the published descriptor of an OTLP message by its full name."""
    return Default().FindMessageTypeByName(name)


@cache
def lenient(name: str) -> MessageType:
    """Return the class of an OTLP message by its full name, with its strings as bytes."""
    return cast("MessageType", GetMessageClass(_pool().FindMessageTypeByName(name)))


@cache
def span_view() -> MessageType:
    """Return the class that reads a span as a `SpanView`."""
    return lenient(f"{_VIEWS}.Span")


@cache
def resource_view() -> MessageType:
    """Return the class that reads a resource as a `ResourceView`."""
    return lenient(f"{_VIEWS}.Resource")


def read(message_type: MessageType, encoded: bytes, what: str) -> Any:
    """Return a decoded message.

    Raises:
        InvalidDataError: the bytes are not such a message.
    """
    try:
        return message_type.FromString(encoded)
    except DecodeError:
        raise InvalidDataError(f"not a protobuf message of the type {what}") from None


@cache
def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    files: list[FileDescriptorProto] = []
    for module in _MODULES:
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            _read_strings_as_bytes(message)
        pool.AddSerializedFile(file.SerializeToString())
        files.append(file)
    pool.AddSerializedFile(_views(files).SerializeToString())
    return pool


def _read_strings_as_bytes(message: DescriptorProto) -> None:
    for field in message.field:
        if field.type == FieldDescriptorProto.TYPE_STRING:
            field.type = FieldDescriptorProto.TYPE_BYTES
    for nested in message.nested_type:
        _read_strings_as_bytes(nested)


def _views(files: Sequence[FileDescriptorProto]) -> FileDescriptorProto:
    """Return a file with the views: some fields of a message under their own numbers, attributes as bytes."""
    views = FileDescriptorProto(name="otel_carbon/views.proto", package=_VIEWS, syntax="proto3")
    views.dependency.extend(file.name for file in files)
    for message in (message for file in files for message in file.message_type if message.name in _VIEWED_FIELDS):
        view = views.message_type.add(name=message.name)
        for field in message.field:
            if field.name in _VIEWED_FIELDS[message.name]:
                view.field.add().CopyFrom(field)
                if field.name == "attributes":
                    view.field[-1].type = FieldDescriptorProto.TYPE_BYTES
                    view.field[-1].ClearField("type_name")
    return views
