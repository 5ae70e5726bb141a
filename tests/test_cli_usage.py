"""What the command line says of itself, and of arguments that it does not know."""

from __future__ import annotations

import pytest

from otel_carbon.cli.main import main


def _said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, said.out, said.err


@pytest.mark.parametrize("command", ["collector-config", "components", "doctor", "factors", "serve"])
def test_help_says_what_a_command_does_within_the_width_of_the_terminal(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    code, out, _ = _said(capsys, command, "--help")

    assert code == 0
    text, _, examples = out.partition("\nexample")
    assert max(map(len, text.splitlines())) <= 80
    assert f"\n  otel-carbon {command}" in examples


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("serve", "--grcp", "x"), "otel-carbon serve"),
        (("ledger", "verify", "--grcp", "x"), "otel-carbon ledger verify"),
    ],
    ids=["command", "action"],
)
def test_an_unknown_option_leads_to_the_help_of_its_command(
    arguments: tuple[str, ...], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = _said(capsys, *arguments)

    assert said == (2, "", f"{command}: unknown arguments: --grcp x; `{command} --help` lists what there is\n")


@pytest.mark.parametrize("wrong", ["x", "0", "-3", "1.5"])
def test_what_is_no_line_of_a_ledger_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _said(capsys, "factors", "explain", f"--line={wrong}")

    assert code == 2
    assert f"'{wrong}' is no line; name its number (`seq`), as --line 17" in err
