"""Certificate authorities and what they sign, made for one test run."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import trustme

__all__ = ["Authority", "Pair"]


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    cert_file: str
    key_file: str


class Authority:
    """A certificate authority. Its own certificate is in `ca_file`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self._ca.cert_pem.write_to_path(self.ca_file)

    def issue(self, name: str, *, valid_from_days: int = -1, valid_until_days: int = 1) -> Pair:
        """Return a certificate for this machine, valid for so many days before and after now."""
        now = dt.datetime.now(dt.UTC)
        leaf = self._ca.issue_cert(
            "127.0.0.1",
            "localhost",
            common_name=name,
            not_before=now + dt.timedelta(days=valid_from_days),
            not_after=now + dt.timedelta(days=valid_until_days),
        )
        pair = Pair(str(self._folder / f"{name}.pem"), str(self._folder / f"{name}.key"))
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        Path(pair.cert_file).write_bytes(chain)
        leaf.private_key_pem.write_to_path(pair.key_file)
        return pair

    def issue_expired(self, name: str) -> Pair:
        """Return a certificate that ended yesterday."""
        return self.issue(name, valid_from_days=-10, valid_until_days=-1)
