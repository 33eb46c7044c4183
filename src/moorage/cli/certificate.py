"""The certificate that is served: a copy of its files that only this process writes, and only with what can be served."""

import logging
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from moorage.adapters.authority import AuthorityFolder
from moorage.adapters.files import replace_file
from moorage.config import Tls
from moorage.config.certificates import Unusable, usable_pair
from moorage.core.trust import nearing_end

LOOK_SECONDS = 2
"""How often the certificate's files are looked at."""

_log = logging.getLogger("moorage.tls")


class ServedCertificate:
    """A file with the certificate and the key that workers read when they start.

    They start at any moment, so the files themselves would not do: those may be half written, or gone.
    """

    def __init__(self, tls: Tls, folder: Path) -> None:
        self.file = folder / "served.pem"
        self.source = tls.certificate
        self._tls = tls
        self._known: object = None
        self._pair = b""

    def refresh(self) -> bool:
        """Take over what the files hold, and tell whether that is another certificate or key.

        Raises Unusable, once for each content that cannot be served; the one before stays.
        """
        found = self._read()
        if found == self._known:
            return False
        try:
            pair = usable_pair(self._tls.certificate, self._tls.key)
        except Unusable:
            self._know(found)
            raise
        changed = pair != self._pair
        if changed:
            replace_file(self.file, pair, 0o600)
            self._pair = pair
        self._know(found)
        return changed

    @property
    def ends_at(self) -> datetime:
        """When what is served ends."""
        return x509.load_pem_x509_certificate(self._pair).not_valid_after_utc

    def _know(self, found: object) -> None:
        """Remember what was looked at, unless it changed meanwhile."""
        self._known = found if found == self._read() else None

    def _read(self) -> object:
        # By content: a file that changes its owner, or that is written within the clock's tick, keeps its times.
        try:
            return self._tls.certificate.read_bytes(), self._tls.key.read_bytes()
        except OSError as error:
            return error.errno


class Freshness:
    """Renews the authority's own certificate before it ends, has this process's workers replaced for a changed one, and tells, once, of the end of what is not renewed."""

    def __init__(self, served: ServedCertificate, authority: AuthorityFolder) -> None:
        self._served = served
        self._authority = authority
        self._said = ""
        self._warned: set[str] = set()

    def keep(self) -> None:
        """Look now and then; never returns. Between two looks this does nothing at all, so that workers may be forked."""
        while True:
            time.sleep(LOOK_SECONDS)
            self._look()

    def warn(self) -> None:
        """Tell of an end that is near, where that was not told."""
        warning = _warning(self._served, self._authority)
        if warning and warning not in self._warned:
            self._warned.add(warning)
            _log.warning("%s", warning)

    def _look(self) -> None:
        served, authority, changed = self._served, self._authority, False
        try:
            if served.source == authority.server and authority.renew(datetime.now(UTC)):
                _log.info("the certificate was renewed")
            changed = served.refresh()
            self.warn()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look may find it mended
            why = f"the certificate in {served.source} cannot be used, so the one before stays: {error}"
            if why != self._said:
                _log.warning("%s", why)
            self._said = why
        if changed:
            os.kill(os.getpid(), signal.SIGHUP)


def _warning(served: ServedCertificate, authority: AuthorityFolder) -> str | None:
    """Return what is to be said of the end of what is served; certificates of one's own authority are renewed in time, but it is not."""
    now = datetime.now(UTC)
    if served.source != authority.server:
        return nearing_end(f"the certificate in {served.source}", served.ends_at, now, mend="put another in its place")
    try:
        known = authority.read()
    except (OSError, ValueError):
        return None  # it is gone or being changed; what is served is as good as it was
    if known is None:
        return None
    mend = "`moorage trust` makes another one"
    return nearing_end(f"the authority in {authority.folder}", known.ends_at, now, mend=mend)
