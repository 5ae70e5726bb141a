"""The audit of CI: the real pip-audit, asking a service that speaks OSV's query API.

Contract: https://google.github.io/osv.dev/post-v1-query/ and https://ossf.github.io/osv-schema/.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[1] / "scripts" / "audit"
_WEAKNESS = {
    "id": "OSV-2026-1",
    "summary": "a weakness",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "weak"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.0.1"}]}],
        }
    ],
}


class _Service(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        body = json.dumps({"vulns": [_WEAKNESS]} if asked["package"]["name"] == "weak" else {}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    """Return the address of a service that knows one weakness, of `weak`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        server.shutdown()
        thread.join()


def _install(folder: Path, name: str, version: str) -> None:
    metadata = folder / f"{name}-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")


def _audit(folder: Path, service: str, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, _SCRIPT, *arguments, folder, "--", "--vulnerability-service=osv", f"--osv-url={service}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def test_a_known_weakness_is_named_with_the_release_that_mends_it(tmp_path: Path, service: str) -> None:
    _install(tmp_path, "weak", "1.0.0")
    _install(tmp_path, "sound", "2.0")

    code, said = _audit(tmp_path, service)

    assert (code, said) == (1, "weak 1.0.0: OSV-2026-1, mended in 1.0.1")


@pytest.mark.parametrize(("arguments", "expected"), [((), 0), (("--strict",), 1)])
def test_what_could_not_be_audited_is_named(
    tmp_path: Path, service: str, arguments: tuple[str, ...], expected: int
) -> None:
    """A version that is none cannot be asked for, and neither can anything where an index does not answer."""
    _install(tmp_path, "odd", "not a version")
    _install(tmp_path, "sound", "2.0")

    code, said = _audit(tmp_path, service, *arguments)

    assert (code, said.splitlines()) == (
        expected,
        ["1 of 2 packages audited, no known weakness among them", "NOT AUDITED, the index has no answer: odd"],
    )
