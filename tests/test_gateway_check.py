"""What `validate` and `serve` find before anything is started: files, sizes, and addresses that are asked for twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from certificates import Authority

from otel_carbon.cli.main import main
from otel_carbon.errors import ConfigError
from otel_carbon.gateway.check import check_config
from otel_carbon.gateway.components import Catalogue
from otel_carbon.gateway.config import parse_config

_CONFIG = """\
receivers: {otlp: {protocols: {grpc: {GRPC}, http: {HTTP}}}}
exporters: {debug: {}, prometheus: {PROMETHEUS}, otlp_grpc: {endpoint: "tempo:4317", tls: {EXPORTER_TLS}}}
service:
  SERVICE
  pipelines: {metrics: {receivers: [otlp], exporters: [debug, prometheus, otlp_grpc]}}
"""


def _text(**parts: str) -> str:
    text = _CONFIG
    for name in ("GRPC", "HTTP", "PROMETHEUS", "EXPORTER_TLS", "SERVICE"):
        text = text.replace(name, parts.get(name.lower(), ""))
    return text


def _problems(**parts: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check_config(parse_config(_text(**parts), {}, Catalogue.bundled(), source="F"), source="F")
    first, *rest = str(caught.value).split("\n")
    return [line.strip() for line in rest] or [first.removeprefix("F: ")]


def test_the_defaults_pass() -> None:
    check_config(parse_config(_text(), {}, Catalogue.bundled(), source="F"), source="F")


# ---- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        (
            {"http": "endpoint: localhost:4317"},
            (
                "receivers::otlp::protocols::http::endpoint: localhost:4317 is taken by "
                "receivers::otlp::protocols::grpc::endpoint (127.0.0.1:4317); give each a port of its own"
            ),
        ),
        (
            {"service": "web: {endpoint: ':4318', allow_unauthenticated: true}"},
            (
                "receivers::otlp::protocols::http::endpoint: 127.0.0.1:4318 is taken by "
                "service::web::endpoint (0.0.0.0:4318); give each a port of its own"
            ),
        ),
        (
            {"prometheus": "endpoint: 127.0.0.1:8080"},
            (
                "exporters::prometheus::endpoint: 127.0.0.1:8080 is taken by "
                "service::web::endpoint (127.0.0.1:8080); give each a port of its own"
            ),
        ),
    ],
)
def test_one_address_for_two_is_refused(parts: dict[str, str], problem: str) -> None:
    assert _problems(**parts) == [problem]


@pytest.mark.parametrize(
    "parts",
    [
        {"http": "endpoint: 127.0.0.1:0", "grpc": "endpoint: 127.0.0.1:0"},
        {"http": "endpoint: '127.0.0.2:4317'"},
        {"http": "endpoint: '[::1]:4317'"},
        {"prometheus": "endpoint: 127.0.0.1:8080", "service": "web: {endpoint: null}"},
    ],
)
def test_addresses_that_differ_or_are_off_are_not(parts: dict[str, str]) -> None:
    check_config(parse_config(_text(**parts), {}, Catalogue.bundled(), source="F"), source="F")


# ---- files ----------------------------------------------------------------------------------------------------------


def test_files_of_tls_and_tokens_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    pair, other = Authority(tmp_path / "ca").issue("a"), Authority(tmp_path / "ca2").issue("b")
    (tmp_path / "empty").touch()
    (tmp_path / "text.pem").write_text("no certificate", encoding="utf-8")

    problems = _problems(
        grpc=f"tls: {{cert_file: {tmp_path}/none.pem, key_file: {pair.key_file}}}",
        http=f"tls: {{cert_file: {pair.cert_file}, key_file: {other.key_file}}}",
        prometheus=f"tls: {{cert_file: {tmp_path}/text.pem, key_file: {pair.key_file}}}",
        service=f"web: {{auth: {{filename: {tmp_path}/empty}}}}",
        exporter_tls=f"ca_file: {tmp_path}/none.pem",
    )

    unusable = "cannot be used: {}; a PEM certificate and its private key without a passphrase are needed"
    assert problems == [
        f"service::web::auth::filename: {tmp_path}/empty holds no token; write one on each line",
        f"receivers::otlp::protocols::grpc::tls::cert_file: cannot read {tmp_path}/none.pem: No such file or directory",
        f"receivers::otlp::protocols::http::tls::cert_file: {pair.cert_file} and {other.key_file} "
        + unusable.format("the key is not that of the certificate"),
        (
            f"exporters::prometheus::tls::cert_file: {tmp_path}/text.pem is not PEM; "
            "a PEM file has a line that begins with -----BEGIN"
        ),
        (
            f"F: exporters::otlp_grpc::tls::ca_file: cannot use {tmp_path}/none.pem: "
            "No such file or directory; PEM is needed"
        ),
    ]


def test_files_of_another_machine_can_be_left_out() -> None:
    text = _text(grpc="auth: {filename: /none}", http="tls: {cert_file: /none, key_file: /none}")

    check_config(parse_config(text, {}, Catalogue.bundled(), source="F"), source="F", with_files=False)
    assert len(_problems(grpc="auth: {filename: /none}")) == 1


def test_a_file_of_tokens_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert _problems(grpc=f"auth: {{filename: {tmp_path}}}") == [
        f"receivers::otlp::protocols::grpc::auth::filename: cannot read {tmp_path}: Is a directory"
    ]


def test_what_is_sent_elsewhere_is_checked_as_far_as_this_machine_knows(tmp_path: Path) -> None:
    otlp = "{endpoint: 'http://127.0.0.1:1', certificate: /none}"
    traces = f"traces: {{processors: [{{batch: {{exporter: {{otlp: {otlp}}}}}}}]}}"
    service = f"telemetry: {{energy: {{source: rapl, powercap: {tmp_path}}}, {traces}}}"

    energy, certificate = _problems(service=service)
    assert energy.startswith(f"service::telemetry::energy::source: no RAPL counter under {tmp_path} can be read; ")
    assert certificate == (
        "service::telemetry::traces::processors[0]::batch::exporter::otlp::certificate: "
        "cannot read /none: No such file or directory"
    )


# ---- the journal ----------------------------------------------------------------------------------------------------


def test_a_journal_that_cannot_hold_one_request_is_refused() -> None:
    grpc = "receivers::otlp::protocols::grpc::max_recv_msg_size_mib"

    assert _problems(service="journal: {max_bytes: 1}") == [
        (
            f"service::journal::max_bytes: 1 byte cannot hold one request of 64MiB, which {grpc} lets in; "
            "write at least 64MiB, or let only smaller ones in"
        )
    ]
    assert _problems(service="journal: {max_bytes: 1GiB}\n  workers: 20") == [
        (
            "service::journal::max_bytes: 1GiB, dealt out to 20 workers, cannot hold one request of 64MiB, "
            f"which {grpc} lets in; write at least 1280MiB, or let only smaller ones in"
        )
    ]
    small = {"grpc": "max_recv_msg_size_mib: 1", "http": "max_request_body_size: 1MiB"}
    text = _text(**small, service="journal: {max_bytes: 1MiB}")
    check_config(parse_config(text, {}, Catalogue.bundled(), source="F"), source="F")


# ---- ledgers --------------------------------------------------------------------------------------------------------


def test_two_exporters_to_one_ledger_are_refused() -> None:
    text = """\
receivers: {otlp: {protocols: {grpc: }}}
exporters: {ledger: , ledger/audit: {url: "sqlite:///./ledger.db"}, ledger/other: {url: "sqlite:///other.db"}}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [ledger, ledger/other]}
    traces/audit: {receivers: [otlp], exporters: [ledger/audit]}
"""

    with pytest.raises(ConfigError) as caught:
        check_config(parse_config(text, {}, Catalogue.bundled(), source="F"), source="F")
    assert str(caught.value) == (
        "F: exporters::ledger/audit::url: ledger.db is the ledger of exporters::ledger too; "
        "name ledger in both pipelines, or another file"
    )


# ---- one check for both commands ------------------------------------------------------------------------------------


def test_serve_says_the_same_as_validate_and_touches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(_text(service="journal: {max_bytes: 1}", grpc="auth: {filename: /none}"), encoding="utf-8")

    assert main(["validate", str(path)]) == 2
    of_validate = capsys.readouterr().err
    assert main(["serve", "--config", str(path), "--data-dir", str(tmp_path / "data")]) == 2
    assert capsys.readouterr().err == of_validate
    assert of_validate.splitlines()[0] == f"otel-carbon: {path}: 2 problems"
    assert not (tmp_path / "data").exists()


def test_a_number_of_workers_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--workers", "abc"])

    assert ended.value.code == 2
    assert "--workers: 'abc' is not a number of processes; write one, as --workers 4" in capsys.readouterr().err
    assert main(["serve", "--workers", "65"]) == 2
    assert "default config: service::workers: must be between 1 and 64" in capsys.readouterr().err
