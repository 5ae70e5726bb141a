"""A config is read as the Collector reads it, and everything that is wrong with it is said at once, with the fix."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from probes import CATALOGUE, InletConfig

from otel_carbon.errors import ConfigError
from otel_carbon.gateway.config import GatewayConfig, check_fragment, parse_config, read_config
from otel_carbon.gateway.overrides import listen_overrides
from otel_carbon.pipeline.component import Kind

_MINIMAL = """\
receivers: {inlet: RECEIVER}
exporters: {outlet: {required: x}}
service: {pipelines: {traces: {receivers: [inlet], exporters: [outlet]}}}
"""


_TOO_LARGE = "is too large a number; the most is 999999999999999999"


def _parse(text: str, environ: dict[str, str] | None = None) -> GatewayConfig:
    return parse_config(dedent(text), environ or {}, CATALOGUE, source="gateway.yaml")


def _problems(text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _parse(text, environ)
    first, *rest = str(caught.value).split("\n")
    return [line.strip() for line in rest] or [first.removeprefix("gateway.yaml: ")]


def _inlet(config: str, environ: dict[str, str] | None = None) -> Any:
    return _parse(_MINIMAL.replace("RECEIVER", config), environ).components[Kind.RECEIVER]["inlet"].config


def _inlet_problems(config: str, environ: dict[str, str] | None = None) -> list[str]:
    return _problems(_MINIMAL.replace("RECEIVER", config), environ)


def test_a_component_without_keys_gets_its_defaults() -> None:
    assert _inlet("") == InletConfig()


def test_every_kind_of_value_is_read() -> None:
    config = _inlet(
        "{endpoint: there, enabled: false, mode: fast, limits: {size: 64MiB, ratio: 1}, extra: , "
        "headers: {x-id: 7}, hosts: [a, b]}"
    )

    assert config == InletConfig(
        endpoint="there",
        enabled=False,
        mode="fast",
        limits=type(InletConfig().limits)(size=67108864, ratio=1.0),
        extra=type(InletConfig().limits)(),
        headers={"x-id": "7"},
        hosts=("a", "b"),
    )


@pytest.mark.parametrize(
    ("written", "size"),
    [("1024", 1024), ("500kB", 500_000), ("2 MiB", 2 << 20), ("1.5GiB", 3 << 29), ("7B", 7), ("1Ti", 1 << 40)],
)
def test_a_size_has_a_unit_or_counts_bytes(written: str, size: int) -> None:
    assert _inlet(f"{{limits: {{size: {written}}}}}").limits.size == size


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("{endpont: x}", "receivers::inlet::endpont: unknown key; did you mean 'endpoint'?"),
        (
            "{zzz: x}",
            (
                "receivers::inlet::zzz: unknown key; "
                "known: enabled, endpoint, extra, headers, hosts, limits, mode, required_key"
            ),
        ),
        ("{enabled: 3}", "receivers::inlet::enabled: must be true or false, not 3"),
        ("{enabled: }", "receivers::inlet::enabled: must be true or false, not nothing"),
        ("{endpoint: [a]}", "receivers::inlet::endpoint: must be a text, not a list"),
        ("{mode: slow}", "receivers::inlet::mode: 'slow' is none of fast, safe"),
        (
            "{limits: {size: big}}",
            "receivers::inlet::limits::size: must be a whole number or a size such as 64MiB, not 'big'",
        ),
        ("{limits: {ratio: high}}", "receivers::inlet::limits::ratio: must be a number, not 'high'"),
        ("{limits: {ratio: .nan}}", "receivers::inlet::limits::ratio: must be a number, not nan"),
        ("{limits: {ratio: .inf}}", "receivers::inlet::limits::ratio: must be a number, not inf"),
        ("{limits: {ratio: 9%s}}" % (30 * "9"), f"receivers::inlet::limits::ratio: {_TOO_LARGE}"),
        ("{limits: {size: 9%s}}" % (5000 * "9"), f"receivers::inlet::limits::size: {_TOO_LARGE}"),
        ('{endpoint: "a\\0b"}', "receivers::inlet::endpoint: holds a NUL character, which no name or path can have"),
        ("{limits: 3}", "receivers::inlet::limits: must be a map of keys, not a single value"),
        ("{headers: [a]}", "receivers::inlet::headers: must be a map of keys, not a list"),
        ("{hosts: a}", "receivers::inlet::hosts: must be a list, not a text"),
        ("{hosts: [{}]}", "receivers::inlet::hosts: must be a text, not a map"),
        ("{endpoint: nowhere}", "receivers::inlet::endpoint: 'nowhere' is not a place"),
        ("text", "receivers::inlet: must be a map of keys, not a text"),
    ],
)
def test_a_wrong_value_is_named_with_its_path(config: str, problem: str) -> None:
    assert _inlet_problems(config) == [problem]


def test_the_environment_fills_in_values_as_text_number_or_boolean() -> None:
    config = _inlet(
        '{endpoint: "${env:HOST:-there}:$$${env:PORT}", enabled: "${env:ON}", limits: {size: "${env:SIZE}"}}',
        {"PORT": "4317", "ON": "false", "SIZE": "2MiB"},
    )

    assert (config.endpoint, config.enabled, config.limits.size) == ("there:$4317", False, 2 << 20)


def test_a_text_from_the_environment_stays_text_when_it_looks_like_a_number() -> None:
    assert _inlet('{headers: {key: "${env:KEY}"}}', {"KEY": "007"}).headers == {"key": "007"}


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (
            "${env:NOPE}",
            (
                "receivers::inlet::endpoint: the environment variable NOPE is not set; "
                "set it or write ${env:NOPE:-default}"
            ),
        ),
        (
            "${NOPE}",
            (
                "receivers::inlet::endpoint: '${NOPE}' is not understood; "
                "write ${env:NAME}, ${env:NAME:-default}, ${file:PATH}, or $$ for a $"
            ),
        ),
        (
            "x ${env:HOME",
            "receivers::inlet::endpoint: '${env:HOME' has no } at its end; close the reference, or write $$ for a $",
        ),
        (
            "${file:/etc/hostname",
            (
                "receivers::inlet::endpoint: '${file:/etc/hostname' has no } at its end; "
                "close the reference, or write $$ for a $"
            ),
        ),
        ("${file:}", "receivers::inlet::endpoint: '' is not the name of a file; write ${file:PATH}"),
        ("${file:a\\0b}", "receivers::inlet::endpoint: 'a\\x00b' is not the name of a file; write ${file:PATH}"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(written: str, problem: str) -> None:
    assert _inlet_problems(f'{{endpoint: "{written}"}}') == [problem]


def test_what_is_not_known_is_not_said_to_be_of_a_wrong_kind() -> None:
    assert _problems("receivers: {inlet: {limits: {size: '${env:NOPE}'}}}\nexporters: '${file:/none}'\nservice: ")[
        :2
    ] == [
        (
            "receivers::inlet::limits::size: the environment variable NOPE is not set; "
            "set it or write ${env:NOPE:-default}"
        ),
        "exporters: the file /none cannot be read: No such file or directory",
    ]


def test_a_date_is_a_text_whether_or_not_it_is_one() -> None:
    assert _inlet("{headers: {day: 2026-11-30, no_day: 2026-13-45}}").headers == {
        "day": "2026-11-30",
        "no_day": "2026-13-45",
    }


@pytest.mark.parametrize("value", ["!!float x", "!!bool x", "!!timestamp x", "!!binary x", "!!python/tuple [a]"])
def test_a_tag_that_its_value_does_not_fit_is_no_traceback(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^gateway\.yaml: "):
        _parse(_MINIMAL.replace("RECEIVER", f"{{endpoint: {value}, enabled: {value}}}"))


def test_what_a_variable_holds_need_not_be_yaml() -> None:
    assert _inlet_problems('{enabled: "${env:ON}"}', {"ON": "{"}) == [
        "receivers::inlet::enabled: must be true or false, not '{'"
    ]


def test_what_yaml_1_1_would_make_another_number_of_stays_as_it_is_written() -> None:
    config = _inlet("{headers: {token: 0123, hex: 0x1F, time: 1:30, id: 42}, limits: {size: 0010}}")

    assert config.headers == {"token": "0123", "hex": "0x1F", "time": "1:30", "id": "42"}
    assert config.limits.size == 10
    assert (
        _parse(_MINIMAL.replace("RECEIVER", "").replace("service: {", 'service: {workers: "2", ')).service.workers == 2
    )


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ('data_dir: ""', "data_dir: is empty; write a path, or leave the key out"),
        ("workers: abc", "workers: must be a whole number, not 'abc'"),
        ("workers: 4kB", "workers: must be a whole number, not '4kB'"),
        (
            "journal: {max_age: 0s}",
            "journal::max_age: nothing could wait for 0s; write null for no limit, or leave it out for 168h",
        ),
        (
            "journal: {max_bytes: 9EiB}",
            "journal::max_bytes: must be a whole number or a size such as 64MiB, not '9EiB'",
        ),
        ("drain_timeout: 9999999h", "drain_timeout: '9999999h' is longer than 100 years; write a shorter one"),
        ("web: {auth: {token: ''}}", "web::auth::token: is empty"),
        (
            "web: {tls: {cert_file: '', key_file: k}}",
            "web::tls::cert_file: is empty; write a path, or leave the key out",
        ),
        (
            "telemetry: {logs: {sampling: {thereafter: -1}}}",
            "telemetry::logs::sampling::thereafter: must be at least 0, which writes none",
        ),
    ],
)
def test_a_wrong_setting_of_the_process_is_named_with_its_path(setting: str, problem: str) -> None:
    text = _MINIMAL.replace("RECEIVER", "").replace("service: {", f"service: {{{setting}, ")

    assert _problems(text) == [f"service::{problem}"]


def test_null_lets_the_journal_keep_what_waits_for_ever() -> None:
    text = _MINIMAL.replace("RECEIVER", "").replace("service: {", "service: {journal: {max_age: null}, ")

    assert _parse(text).service.journal.max_age is None


def test_a_file_gives_a_text_without_its_last_line_end(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("*not $yaml: {\n", encoding="utf-8")

    config = _inlet(f'{{endpoint: "${{file:{secret}}}", headers: {{key: "Bearer ${{file:{secret}}}"}}}}')

    assert (config.endpoint, config.headers) == ("*not $yaml: {", {"key": "Bearer *not $yaml: {"})


def test_a_file_gives_a_map_whose_references_are_followed(tmp_path: Path) -> None:
    part = tmp_path / "limits.yaml"
    part.write_text("size: 2MiB\nratio: ${env:RATIO}\n", encoding="utf-8")

    limits = _inlet(f'{{limits: "${{file:{part}}}"}}', {"RATIO": "0.25"}).limits

    assert (limits.size, limits.ratio) == (2 << 20, 0.25)


def test_a_referenced_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing, binary = tmp_path / "missing", tmp_path / "binary"
    binary.write_bytes(b"\xff")

    assert _inlet_problems(f'{{endpoint: "${{file:{missing}}}", headers: {{key: "${{file:{binary}}}"}}}}') == [
        f"receivers::inlet::endpoint: the file {missing} cannot be read: No such file or directory",
        f"receivers::inlet::headers::key: the file {binary} is not UTF-8 text",
    ]


def test_a_file_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    circle = tmp_path / "circle.yaml"
    circle.write_text(f'endpoint: "${{file:{circle}}}"\n', encoding="utf-8")

    assert _inlet_problems(f'"${{file:{circle}}}"') == ["is nested too deep"]


def test_an_empty_variable_is_a_value_and_an_empty_default_too() -> None:
    config = _inlet('{endpoint: "${env:EMPTY}", headers: {key: "${env:NOPE:-}"}}', {"EMPTY": ""})

    assert (config.endpoint, config.headers) == ("", {"key": ""})


def test_a_missing_required_key_is_named() -> None:
    assert _problems(_MINIMAL.replace("RECEIVER", "").replace("{required: x}", "")) == [
        "exporters::outlet::required: is missing; it has no default"
    ]


_WIRED = """\
receivers: {{inlet: }}
processors: {{marker: }}
exporters: {{outlet: {{required: x}}, spanout: }}
connectors: {{counter: , echo: }}
service:
  pipelines:
    {pipelines}
"""


@pytest.mark.parametrize(
    ("pipelines", "problems"),
    [
        (
            "{traces: {receivers: [inlett], processors: [mark], exporters: [outlet]}}",
            [
                (
                    "service::pipelines::traces::receivers: 'inlett' is not configured under receivers; "
                    "did you mean 'inlet'?"
                ),
                (
                    "service::pipelines::traces::processors: 'mark' is not configured under processors; "
                    "did you mean 'marker'?"
                ),
            ],
        ),
        (
            "{spans: {receivers: [inlet], exporters: [outlet]}}",
            [
                (
                    "service::pipelines::spans: must be named traces, metrics or logs, "
                    "with a name after a slash for a second one"
                )
            ],
        ),
        (
            "{traces: {receivers: [], exporters: [outlet, outlet]}}",
            [
                "service::pipelines::traces::receivers: is empty; name at least one receiver or connector",
                "service::pipelines::traces::exporters: 'outlet' stands twice",
            ],
        ),
        (
            "{traces: {receivers: [inlet]}}",
            ["service::pipelines::traces::exporters: is missing; it has no default"],
        ),
        (
            "{logs: {receivers: [inlet], exporters: [spanout]}}",
            ["service::pipelines::logs::exporters: 'spanout' does not support logs; it supports traces"],
        ),
        (
            "{traces: {receivers: [counter], exporters: [counter]}}",
            [
                "service::pipelines::traces::receivers: 'counter' does not support traces; it supports metrics",
                "service::pipelines: go in a circle: traces -> traces; take one connector out",
            ],
        ),
        (
            "{traces: {receivers: [inlet], exporters: [counter]}}",
            ["connectors::counter: is only among the exporters; it must be among the receivers of a pipeline too"],
        ),
        (
            (
                "{traces: {receivers: [inlet, echo], exporters: [counter]}, "
                "metrics: {receivers: [counter], exporters: [echo]}}"
            ),
            ["service::pipelines: go in a circle: traces -> metrics -> traces; take one connector out"],
        ),
        ("{}", ["service::pipelines: has no pipeline; name at least one, as `traces`"]),
    ],
)
def test_wrong_wiring_is_named_with_its_path(pipelines: str, problems: list[str]) -> None:
    assert _problems(_WIRED.format(pipelines=pipelines)) == problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("receivers: {inlet: {a: 1, a: 2}}", "line 1, column 27: the key 'a' stands twice"),
        ("receivers: [", "line 1, column 13: expected the node content, but found '<stream end>'"),
        (
            "receivers: {inlet: {at: ${env:HERE}}}",
            (
                "line 1, column 26: expected ',' or '}', but got '{'"
                "; quote a reference inside of { } or [ ], as '${env:NAME}'"
            ),
        ),
        ("receivers: " + "[" * 5000, "is nested too deep"),
        ("receivers: &again {inlet: *again}", "line 1, column 12: found unconstructable recursive node"),
        ("just text", "must be a map with receivers, processors, exporters, connectors and service"),
        ("", "must be a map with receivers, processors, exporters, connectors and service"),
    ],
)
def test_what_is_not_such_a_file_is_said_so(text: str, problem: str) -> None:
    assert _problems(text) == [problem]


def test_a_batch_processor_of_a_collector_is_said_to_be_needless() -> None:
    assert _problems("""\
        receivers: {inlet: {endpoint: x}}
        processors: {batch: , batch/two: , bath: }
        exporters: {outlet: }
        service: {pipelines: {traces: {receivers: [inlet], processors: [batch], exporters: [outlet]}}}
        """)[:2] == [
        f"processors::{id_}: is not needed: exporters batch from the journal; take it out here and in the pipelines"
        for id_ in ("batch", "batch/two")
    ]


def test_all_problems_are_shown_together() -> None:
    assert _problems("""\
        receivers: {inlet: {endpont: x}, oltp: }
        exporter: {}
        extensions: {health_check: }
        service: {extensions: [health_check], drain_timeout: soon, journal: {max_bytes: 0}, web: {endpoint: x}}
        """) == [
        "exporter: unknown section; did you mean 'exporters'?",
        "extensions: is not supported; health is served by service::web, at /healthz",
        "receivers::inlet::endpont: unknown key; did you mean 'endpoint'?",
        "receivers::oltp: unknown receiver type; known: inlet",
        "service::extensions: is not supported; health is served by service::web, at /healthz",
        "service::pipelines: is missing; it has no default",
        "service::journal::max_bytes: must be more than 0; the default is 2GiB",
        "service::web::endpoint: 'x' is not an address to listen on; write host:port, as 127.0.0.1:4317",
    ]


def test_settings_of_the_process_are_read() -> None:
    service = _parse(
        _MINIMAL.replace("RECEIVER", "").replace(
            "service: {",
            "service: {journal: {max_bytes: 1GiB, fsync: false}, web: {endpoint: null}, data_dir: here, "
            "telemetry: {logs: {level: debug}}, drain_timeout: 1m30s, ",
        )
    ).service

    assert (service.journal.max_bytes, service.journal.fsync) == (1 << 30, False)
    assert (service.web.endpoint, service.data_dir, service.telemetry.logs.level) == (None, "here", "debug")
    assert service.drain_timeout == "1m30s"


def test_a_deprecated_name_and_an_unused_component_are_warned_of() -> None:
    config = _parse("""\
        receivers: {oldinlet: , inlet/second: }
        exporters: {outlet: {required: x}}
        service: {pipelines: {traces: {receivers: [oldinlet], exporters: [outlet]}}}
        """)

    assert config.warnings == (
        "receivers::oldinlet: the type 'oldinlet' is deprecated; write 'inlet'",
        "receivers::inlet/second: is configured but in no pipeline, so it is not started",
    )


def test_a_name_after_the_slash_is_asked_for() -> None:
    assert _problems(_MINIMAL.replace("inlet", "inlet/").replace("RECEIVER", "")) == [
        "receivers::inlet/: a name must follow the slash, as in inlet/main"
    ]


def test_one_id_for_an_exporter_and_a_connector_is_refused() -> None:
    text = "receivers: {inlet: }\nexporters: {echo: }\nconnectors: {echo: }\n"
    text += "service: {pipelines: {traces: {receivers: [inlet, echo], exporters: [echo]}}}"

    assert _problems(text)[0] == "connectors::echo: is the id of an exporter too; give one of them a name, as echo/main"


def test_the_command_line_beats_the_file() -> None:
    overrides = listen_overrides({"grpc": None, "http": None, "web": "127.0.0.1:0"})
    text = _MINIMAL.replace("RECEIVER", "").replace("service: {", "service: {web: {endpoint: 127.0.0.1:1}, ")

    config = parse_config(text, {}, CATALOGUE, source="x", overrides=overrides)

    assert config.service.web.endpoint == "127.0.0.1:0"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: cannot be read: .*No such file"):
        read_config(tmp_path / "missing.yaml", {}, CATALOGUE)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.yaml: is not UTF-8 text"):
        read_config(tmp_path / "binary.yaml", {}, CATALOGUE)


def test_a_piece_of_a_config_is_checked_as_far_as_it_goes() -> None:
    check_fragment("exporters: {ledger: }")
    check_fragment("service: {journal: {max_bytes: 4GiB}}")

    with pytest.raises(ConfigError, match="exporters::ledger::uri: unknown key; did you mean 'url'"):
        check_fragment("exporters: {ledger: {uri: x}}")
    with pytest.raises(ConfigError, match="'ledger' is not configured under exporters"):
        check_fragment("service: {pipelines: {traces: {receivers: [otlp], exporters: [ledger]}}}")
    with pytest.raises(ConfigError, match="fragment: must be a map"):
        check_fragment("a text")
