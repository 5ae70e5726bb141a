"""Fuzz one parser with atheris, guided by coverage: `python tests/fuzz/run.py TARGET CORPUS… [-libFuzzer options]`.

`make fuzz` runs all of them. Inputs that crash are written to the folder that `-artifact_prefix` names.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["otel_carbon"]):
    from targets import TARGETS


def main() -> None:
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


main()
