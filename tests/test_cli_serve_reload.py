"""SIGHUP to the real process: connections stay, tokens and certificates are read again, a wrong config is refused."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from certificates import Authority
from gateway_process import GatewayProcess
from spans import traces

_CONFIG = """\
receivers:
  otlp:
    protocols:
      grpc: {endpoint: 127.0.0.1:0}
      http: {endpoint: 127.0.0.1:0, auth: {filename: TOKENS}}
processors: {carbon: }
exporters: {ledger: , debug: }
service:
  web: {endpoint: 127.0.0.1:0}
  telemetry: {logs: {encoding: json}}
  pipelines: {traces: {receivers: [otlp], processors: [carbon], exporters: [ledger]}}
"""
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def _reloaded(gateway: GatewayProcess, text: str) -> None:
    """Send SIGHUP and wait until the log says the text once more."""
    before = gateway.log().count(text)
    gateway.process.send_signal(signal.SIGHUP)
    _until(lambda: gateway.log().count(text) > before)


def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.01)


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())


class _Sender:
    """One HTTP connection that is never opened again."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=30)
        self._connection.auto_open = 0
        self._connection.connect()

    def post(self, token: str, first: int) -> int:
        headers = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {token}"}
        self._connection.request("POST", "/v1/traces", traces(first, 10), headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def close(self) -> None:
        self._connection.close()


def test_connections_outlive_a_reload_and_tokens_are_read_again(tmp_path: Path) -> None:
    tokens, config = tmp_path / "tokens", tmp_path / "gateway.yaml"
    tokens.write_text("first\n", encoding="utf-8")
    config.write_text(_CONFIG.replace("TOKENS", str(tokens)), encoding="utf-8")
    with GatewayProcess(tmp_path / "data", "--config", str(config), addresses=()) as gateway:
        sender = _Sender(gateway.ready["http"])
        states: list[grpc.ChannelConnectivity] = []
        with grpc.insecure_channel(gateway.ready["grpc"]) as channel:
            channel.subscribe(states.append, try_to_connect=True)
            export = channel.unary_unary(_EXPORT)
            assert sender.post("first", 0) == 200
            export(traces(10, 10), timeout=30)

            tokens.write_text("second\n", encoding="utf-8")
            config.write_text(config.read_text(encoding="utf-8").replace("[ledger]", "[ledger, debug]"), "utf-8")
            _reloaded(gateway, "is in force")

            assert (sender.post("first", 0), sender.post("second", 20)) == (401, 200)
            export(traces(30, 10), timeout=30)
        sender.close()
        cursors = _get(f"{gateway.ready['web']}/debug/pipelines")["cursors"]
        assert gateway.stop() == 0

    assert set(cursors) == {"ledger:traces", "debug:traces"}
    assert states.count(grpc.ChannelConnectivity.READY) == 1
    assert "::filename: 1 tokens are accepted now" in gateway.log()


def test_a_wrong_config_is_refused_by_its_path_and_the_earlier_one_goes_on(tmp_path: Path) -> None:
    tokens, config = tmp_path / "tokens", tmp_path / "gateway.yaml"
    tokens.write_text("first\n", encoding="utf-8")
    config.write_text(_CONFIG.replace("TOKENS", str(tokens)), encoding="utf-8")
    with GatewayProcess(tmp_path / "data", "--config", str(config), addresses=()) as gateway:
        config.write_text(config.read_text(encoding="utf-8").replace("carbon: ", "carbon: {regoin: x}"), "utf-8")
        _reloaded(gateway, "not taken over")

        sender = _Sender(gateway.ready["http"])
        assert sender.post("first", 0) == 200
        sender.close()
        with urllib.request.urlopen(f"{gateway.ready['web']}/metrics", timeout=30) as answer:
            assert b"otelcarbon_config_last_reload_successful 0.0" in answer.read()
        assert _get(f"{gateway.ready['web']}/readyz") == {"status": "ready"}

    (error,) = [line for line in map(json.loads, gateway.log().splitlines()) if line["level"] == "error"]
    assert error["msg"] == (
        "the config is not taken over, the earlier one stays in force: "
        f"{config}: processors::carbon::regoin: unknown key; did you mean 'region'?"
    )


def test_certificates_are_read_again_without_a_reload_interval(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    first, second = authority.issue("first"), authority.issue("second")
    chain, key, config = tmp_path / "tls.crt", tmp_path / "tls.key", tmp_path / "gateway.yaml"

    def install(pair: Any) -> None:
        chain.write_bytes(Path(pair.cert_file).read_bytes())
        key.write_bytes(Path(pair.key_file).read_bytes())

    install(first)
    tls = f"tls: {{cert_file: {chain}, key_file: {key}}}"
    text = _CONFIG.replace("grpc: {endpoint: 127.0.0.1:0}", f"grpc: {{endpoint: 127.0.0.1:0, {tls}}}")
    config.write_text(text.replace("auth: {filename: TOKENS}", tls), encoding="utf-8")
    with GatewayProcess(tmp_path / "data", "--config", str(config), addresses=()) as gateway:
        ports = [int(gateway.ready[name].rpartition(":")[2]) for name in ("grpc", "http")]
        assert [_shown(port) for port in ports] == [_first_in(first.cert_file)] * 2
        install(second)
        _reloaded(gateway, "is in force")
        assert [_shown(port) for port in ports] == [_first_in(second.cert_file)] * 2
        chain.write_text("not a certificate", encoding="utf-8")
        _reloaded(gateway, "the earlier certificates stay in use")
        assert [_shown(port) for port in ports] == [_first_in(second.cert_file)] * 2


def _shown(port: int) -> str:
    """Return the certificate that is shown, as PEM."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=30).strip()


def _first_in(path: str | Path) -> str:
    pem = Path(path).read_text(encoding="ascii")
    end = "-----END CERTIFICATE-----"
    return pem[: pem.index(end) + len(end)].strip()
