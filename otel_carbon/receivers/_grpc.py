"""OTLP over gRPC: the three Export services, on raw bytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import grpc
import grpc.aio

from otel_carbon.errors import CarbonError, ConfigError
from otel_carbon.pipeline.endpoint import Endpoint, parse_endpoint
from otel_carbon.pipeline.listening import cannot_listen
from otel_carbon.pipeline.pdata import Signal
from otel_carbon.receivers._answer import MAX_RESPONSE_BYTES, answer_protobuf
from otel_carbon.receivers._grpc_keepalive import KeepaliveConfig, keepalive_options
from otel_carbon.receivers._grpc_security import TokenCheck, authorization, check_tls, server_credentials
from otel_carbon.receivers._intake import Intake, no_pipeline
from otel_carbon.receivers._refusal import Refusal, status_message
from otel_carbon.security.certificates import ServerTlsConfig
from otel_carbon.security.guard import Guard, check_listener
from otel_carbon.security.tokens import AuthConfig

__all__ = ["GrpcConfig", "GrpcServer"]

_SERVICES: Mapping[Signal, str] = MappingProxyType(
    {
        Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
        Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
        Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    }
)
_PATH = "protocols::grpc"
_KEY = f"{_PATH}::endpoint"
_GRACE_S = 10.0
_MAX_MESSAGE_MIB = 2047  # gRPC holds the size in 32 bits
_MOST_STREAMS = (1 << 31) - 1
_CODES: Mapping[int, grpc.StatusCode] = MappingProxyType({code.value[0]: code for code in grpc.StatusCode})

_Handler = Callable[[bytes, "grpc.aio.ServicerContext[bytes, bytes]"], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class GrpcConfig:
    """Keys of `protocols::grpc`, named as in the Collector's `configgrpc`.

    Raises:
        ConfigError: a value is out of range.
    """

    endpoint: str = "127.0.0.1:4317"
    max_recv_msg_size_mib: int = 64
    """Limit of one request, before and after decompression."""
    max_send_msg_size_mib: int = MAX_RESPONSE_BYTES >> 20
    """Limit of one answer; a message that is too long for it is cut."""
    max_concurrent_streams: int = 0
    """Requests at the same time on one connection; 0 is no limit."""
    keepalive: KeepaliveConfig = field(default_factory=KeepaliveConfig)
    """How long connections live, and how dead ones are found."""
    tls: ServerTlsConfig | None = None
    """Certificates; left out, plain text."""
    auth: AuthConfig | None = None
    """Tokens of senders; left out, nobody is asked for one."""
    allow_unauthenticated: bool = False
    """Whether an address that others can reach may be listened on without tokens or client certificates."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_listener(self, _PATH)
        check_tls(self.tls, f"{_PATH}::tls")
        for key in ("max_recv_msg_size_mib", "max_send_msg_size_mib"):
            if not 1 <= getattr(self, key) <= _MAX_MESSAGE_MIB:
                raise ConfigError(f"{_PATH}::{key} must be between 1 and {_MAX_MESSAGE_MIB}")
        if not 0 <= self.max_concurrent_streams <= _MOST_STREAMS:
            raise ConfigError(f"{_PATH}::max_concurrent_streams must be between 0, no limit, and {_MOST_STREAMS}")


class GrpcServer:
    """Serves one endpoint. Signals without a pipeline are answered UNIMPLEMENTED, as by the Collector."""

    def __init__(self, config: GrpcConfig, intake: Intake, *, shares_port: bool = False) -> None:
        self._config = config
        self._shares_port = shares_port
        self._intake = intake
        self._guard = Guard(config, _PATH)
        self._server: grpc.aio.Server | None = None

    async def start(self) -> str:
        """Listen, and return the bound `host:port`. Raises ConfigError for the address, or a file of TLS or tokens."""
        self._guard.load()
        endpoint = parse_endpoint(self._config.endpoint, _KEY)
        tokens = self._guard.tokens
        checks = [] if tokens is None else [TokenCheck(tokens, self._refuse)]
        server = grpc.aio.server(interceptors=checks, options=_options(self._config, shares_port=self._shares_port))
        handlers = {signal: grpc.unary_unary_rpc_method_handler(self._export(signal)) for signal in Signal}
        server.add_generic_rpc_handlers((_Services(handlers, self._intake),))
        try:
            port = self._listen(server, str(endpoint))
        except RuntimeError as error:
            raise cannot_listen(endpoint, _KEY, error) from error
        await server.start()
        self._server = server
        return str(Endpoint(endpoint.host, port))

    def reload_files(self) -> None:
        """Read certificates and tokens again."""
        self._guard.reload()

    async def shutdown(self) -> None:
        """Refuse new requests and finish those that were begun."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(_GRACE_S)

    def _listen(self, server: grpc.aio.Server, address: str) -> int:
        if self._guard.certificates is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, server_credentials(self._guard.certificates))

    async def _refuse(self, error: Exception, context: grpc.aio.ServicerContext[Any, bytes]) -> bytes:
        return await _abort(context, self._intake.refuse(error))

    def _tenant(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> str | None:
        tokens = self._guard.tokens
        return None if tokens is None else tokens.tenant(authorization(context.invocation_metadata()))

    def _export(self, signal: Signal) -> _Handler:
        async def export(body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            try:
                self._intake.check_room()
                with self._intake.called_with(_header_of(context)):
                    partial = await self._intake.take(signal, body, self._tenant(context))
                return answer_protobuf(signal, partial, self._config.max_send_msg_size_mib << 20)
            except CarbonError as error:
                return await self._refuse(error, context)
            except Exception as error:  # noqa: BLE001  here a request leaves the gateway
                return await self._refuse(error, context)

        return export


def _header_of(context: grpc.aio.ServicerContext[bytes, bytes]) -> Callable[[str], str | None]:
    def header(name: str) -> str | None:
        values = (value for key, value in context.invocation_metadata() or () if key == name and isinstance(value, str))
        return next(values, None)

    return header


class _Services(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # not generic when it runs
    """The Export services of the signals that a pipeline takes now."""

    def __init__(self, handlers: Mapping[Signal, Any], intake: Intake) -> None:
        self._handlers = {f"/{_SERVICES[signal]}/Export": (signal, handler) for signal, handler in handlers.items()}
        self._intake = intake

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of a call; None is answered UNIMPLEMENTED."""
        signal, handler = self._handlers.get(handler_call_details.method, (None, None))
        if signal is None or self._intake.takes(signal):
            return handler
        return grpc.unary_unary_rpc_method_handler(_no_pipeline(signal))


def _no_pipeline(signal: Signal) -> _Handler:
    async def refuse(_body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, no_pipeline(signal))
        raise AssertionError("abort always raises")

    return refuse


def _options(config: GrpcConfig, *, shares_port: bool) -> list[tuple[str, int]]:
    options = [
        ("grpc.max_receive_message_length", config.max_recv_msg_size_mib << 20),
        ("grpc.so_reuseport", int(shares_port)),  # on by default, and then two programs share a port without a word
        ("grpc.enable_channelz", 0),  # nobody can ask for it here, and it costs every connection 0.6 KiB
        *keepalive_options(config.keepalive),
    ]
    if config.max_concurrent_streams:
        options.append(("grpc.max_concurrent_streams", config.max_concurrent_streams))
    return options


async def _abort(context: grpc.aio.ServicerContext[Any, bytes], answer: Refusal) -> bytes:
    details = status_message(answer).SerializeToString()
    await context.abort(_CODES[answer.code], answer.message, (("grpc-status-details-bin", details),))
    raise AssertionError("abort always raises")
