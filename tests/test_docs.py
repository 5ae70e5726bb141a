"""Every command line, config and program in the documents is run.

Fenced blocks are read by their language: `bash` lines run one by one in an empty folder with the package's commands on
the path; `yaml` blocks load as gateway configs; `python` blocks run as programs of their own. A block whose info string
says `not-run` and why (```bash not-run: needs the network) is for the few that cannot be run here. A `ts` block names
the file of `examples/` that it is taken from, and those are run by tests/e2e.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from otel_carbon.gateway.config import check_fragment

_ROOT = Path(__file__).parents[1]
_BIN = Path(sys.executable).parent
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

# Lines that other checks run: `make …` by CI, installing by tests/test_package.py, the demo by `make run`.
_RUN_ELSEWHERE = re.compile(r"^(make |pip install |otel-carbon demo|git clone |cd |scripts/check|pytest )")
_SERVERS = re.compile(r"^otel-carbon serve")


@dataclass(frozen=True)
class Block:
    """A fenced block and where it stands."""

    where: str
    language: str
    text: str


def _documents() -> list[Path]:
    sheets = [
        path
        for kind in ("receivers", "processors", "exporters", "connectors")
        for path in _ROOT.glob(f"{kind}/**/*.md")
    ]
    return [_ROOT / "README.md", *sorted(_ROOT.glob("docs/**/*.md")), *sorted(sheets)]


def _blocks(language: str) -> Iterator[Block]:
    for path in _documents():
        text = path.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            if match[1] == language and "not-run:" not in match[2]:
                line = text.count("\n", 0, match.start()) + 1
                yield Block(f"{path.relative_to(_ROOT)}:{line}", language, match[3])


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return {
        **kept,
        "PATH": f"{_BIN}:{os.environ['PATH']}",
        "OTEL_CARBON_DATA_DIR": str(folder / "data"),
        "NO_COLOR": "1",
    }


@pytest.mark.parametrize("block", list(_blocks("yaml")), ids=lambda block: block.where)
def test_a_config_in_the_documents_loads(block: Block) -> None:
    unset = dict.fromkeys(re.findall(r"\$\{env:(\w+)\}", block.text), "none")  # keys, which a user sets
    check_fragment(block.text, {**unset, **os.environ})


@pytest.mark.parametrize("block", list(_blocks("python")), ids=lambda block: block.where)
def test_a_program_in_the_documents_runs(block: Block, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=tmp_path,
        env=_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", list(_blocks("bash")), ids=lambda block: block.where)
def test_a_command_in_the_documents_runs(block: Block, tmp_path: Path) -> None:
    _give_input(tmp_path)
    for line in _lines(block.text):
        if _RUN_ELSEWHERE.match(line):
            continue
        if _SERVERS.match(line):
            _serve(line, tmp_path)
            continue
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=_environment(tmp_path), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def _excerpts() -> Iterator[tuple[str, str]]:
    for path in _documents():
        for match in _FENCE.finditer(path.read_text(encoding="utf-8")):
            if match[1] == "ts" and "not-run:" not in match[2]:
                yield match[2].strip(), match[3]


@pytest.mark.parametrize(("example", "text"), list(_excerpts()))
def test_code_in_the_documents_is_that_of_an_example(example: str, text: str) -> None:
    assert text in (_ROOT / example).read_text(encoding="utf-8")


def test_both_examples_trace_the_openai_sdk_with_the_same_file() -> None:
    name = "traced-fetch.ts"
    examples = _ROOT / "examples"

    assert (examples / "node" / name).read_bytes() == (examples / "nextjs" / "lib" / name).read_bytes()


def _lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        command = line.partition("  #")[0].strip()
        if command and not command.startswith("#"):
            yield command


def _give_input(folder: Path) -> None:
    """Put the files in place that the documents speak of."""
    for path in (_ROOT / "tests" / "documents").glob("*"):
        (folder / path.name).write_bytes(path.read_bytes())


def _serve(line: str, folder: Path) -> None:
    """Start a server as documented, wait until it is ready, and let it drain."""
    ports = {"--grpc": "127.0.0.1:0", "--http": "127.0.0.1:0", "--web": "127.0.0.1:0"}
    words = shlex.split(line)
    for option, address in ports.items():
        if option not in words:
            words += [option, address]
    process = subprocess.Popen(
        [str(_BIN / words[0]), *words[1:]],
        cwd=folder,
        env=_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    ready = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _out, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    assert json.loads(ready)["event"] == "ready"
