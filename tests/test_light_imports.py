"""What an application pays for importing the package: nothing of the gateway, the ledger or the tables."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "aiohttp",
    "asyncio",
    "csv",
    "google.protobuf",
    "grpc",
    "http.server",
    "otel_carbon.estimator",
    "otel_carbon.factors",
    "otel_carbon.gateway",
    "otel_carbon.journal",
    "otel_carbon.ledger",
    "otel_carbon.reports",
    "otel_carbon.spans",
    "sqlite3",
    "sqlite_utils",
    "ssl",
    "tomllib",
    "yaml",
    "zstandard",
}
MODULES = """
import json, sys
exec(sys.argv[1])
print(json.dumps(sorted(sys.modules)))
"""


def modules(statement: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", MODULES, statement], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def bare_sdk() -> set[str]:
    return modules("import opentelemetry.sdk.trace")


@pytest.mark.parametrize(
    "statement",
    [
        "import otel_carbon",
        "import otel_carbon; otel_carbon.__version__",
        "from otel_carbon.processors import CarbonSpanProcessor, KeepGenAI",
    ],
)
def test_an_import_adds_nothing_heavy_to_the_sdk(statement: str, bare_sdk: set[str]) -> None:
    assert (modules(f"import opentelemetry.sdk.trace; {statement}") - bare_sdk) & HEAVY == set()


def test_an_import_adds_modules_of_its_own_and_few_others(bare_sdk: set[str]) -> None:
    added = modules("import opentelemetry.sdk.trace, otel_carbon.processors") - bare_sdk

    others = {name for name in added if not name.startswith("otel_carbon")}
    assert others <= {"pathlib", "ntpath", "urllib.parse", "opentelemetry.baggage", "opentelemetry.util.re"}
    assert len(added) < 20


def test_the_package_itself_needs_no_sdk() -> None:
    assert "opentelemetry" not in modules("import otel_carbon; otel_carbon.__version__")


def test_a_running_processor_loads_no_database_and_no_server(bare_sdk: set[str]) -> None:
    running = (
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "import otel_carbon\n"
        "provider = TracerProvider()\n"
        "otel_carbon.install(provider)\n"
        "provider.get_tracer('x').start_span('chat', attributes={'gen_ai.request.model': 'gpt-4o'}).end()"
    )
    loaded = modules(running) - bare_sdk

    assert loaded & {"asyncio", "google.protobuf", "grpc", "sqlite3", "yaml", "aiohttp", "otel_carbon.ledger"} == set()
    assert "otel_carbon.estimator" in loaded
