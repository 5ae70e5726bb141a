"""`otel-carbon validate`: what is wrong with a config, without starting it."""

from __future__ import annotations

from pathlib import Path

from gateway_process import run_cli

_VALID = """\
receivers: {otlp: {protocols: {grpc: , http: {endpoint: "127.0.0.1:${env:OTLP_PORT:-4318}"}}}}
processors: {carbon: {model_aliases: {my-deployment: gpt-4o}}}
exporters:
  otlp/tempo: {endpoint: tempo:4317, headers: {authorization: "Bearer ${env:TOKEN}"}}
  ledger: {url: "sqlite:///ledger.db"}
  prometheus: {endpoint: 127.0.0.1:9464}
connectors: {carbon_metrics: }
service:
  pipelines:
    traces: {receivers: [otlp], processors: [carbon], exporters: [otlp/tempo, ledger, carbon_metrics]}
    metrics: {receivers: [otlp, carbon_metrics], exporters: [otlp/tempo, prometheus]}
    logs: {receivers: [otlp], exporters: [otlp/tempo]}
"""


def _validate(folder: Path, text: str, **environ: str) -> tuple[int, str, str]:
    path = folder / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    done = run_cli("validate", str(path), environ=environ)
    return done.returncode, done.stdout.replace(str(path), "FILE"), done.stderr.replace(str(path), "FILE")


def test_a_valid_config_is_said_to_be_valid_and_old_names_are_warned_of(tmp_path: Path) -> None:
    code, out, err = _validate(tmp_path, _VALID, TOKEN="secret")

    assert (code, out) == (0, "FILE: valid, with the pipelines traces, metrics, logs\n")
    assert err == "warning: exporters::otlp/tempo: the type 'otlp' is deprecated; write 'otlp_grpc'\n"


def test_every_problem_is_named_with_its_path_and_exit_2(tmp_path: Path) -> None:
    wrong = _VALID.replace("endpoint: tempo:4317", "endpont: tempo:4317").replace("127.0.0.1:9464", "nine")

    code, out, err = _validate(tmp_path, wrong)

    assert (code, out) == (2, "")
    assert err == (
        "otel-carbon: FILE: 4 problems\n"
        "  exporters::otlp/tempo::headers::authorization: the environment variable TOKEN is not set; "
        "set it or write ${env:TOKEN:-default}\n"
        "  exporters::otlp/tempo::endpont: unknown key; did you mean 'endpoint'?\n"
        "  exporters::otlp/tempo::endpoint: is missing; it has no default\n"
        "  exporters::prometheus::endpoint: 'nine' is not an address to listen on; write host:port, as 127.0.0.1:4317\n"
    )


def test_what_only_a_component_knows_is_checked_too(tmp_path: Path) -> None:
    code, _, err = _validate(tmp_path, _VALID.replace("model_aliases", "factor_set: none, model_aliases"), TOKEN="x")

    assert code == 2
    assert "FILE: processors::carbon" in err
    assert "none" in err
