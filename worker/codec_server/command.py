"""The codec server's settings and its process."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from worker.client import keyring_file
from worker.codec_server.service import CodecService
from worker.encryption.keyring import KeyringFile
from worker.errors import UsageError
from worker.logs import configure_logging
from worker.settings import Address, is_http_url

_LOGGER = logging.getLogger(__name__)
_SHUTDOWN_SECONDS = 5.0
"""A page of history is decrypted in well under a second; the rest is for a slow browser."""

_ADDRESS = Address("0.0.0.0", 8081)  # noqa: S104 - the UI's users come from outside the pod


@dataclass(frozen=True)
class CodecSettings:
    """What the codec server needs to know."""

    keyring: Path
    """`ROUTERFLEET_KEYRING_FILE`. No default."""
    address: Address = _ADDRESS
    """`ROUTERFLEET_CODEC_ADDRESS`: where it answers. Default 0.0.0.0:8081."""
    origins: frozenset[str] = frozenset()
    """`ROUTERFLEET_CODEC_ORIGINS`: pages that may call it, comma-separated, as the browser names them
    (`https://temporal.example.net`). Default none: the command line needs none."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> CodecSettings:
        """Read the settings.

        Raises:
            UsageError: On the first wrong value.
        """
        keyring = keyring_file(environment)
        if keyring is None:
            raise UsageError("ROUTERFLEET_KEYRING_FILE: not set; it has no default")
        listed = environment.get("ROUTERFLEET_CODEC_ORIGINS", "").split(",")
        origins = frozenset(origin.strip() for origin in listed if origin.strip())
        for origin in sorted(origins):
            if not is_http_url(origin) or origin.count("/") != 2:
                raise UsageError(
                    f"ROUTERFLEET_CODEC_ORIGINS: {origin!r} must be an origin without a path,"
                    " for example https://temporal.example.net"
                )
        address = environment.get("ROUTERFLEET_CODEC_ADDRESS") or str(cls.address)
        return cls(keyring, Address.parse("ROUTERFLEET_CODEC_ADDRESS", address), origins)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM; return the process's exit code: 0 stopped, 2 bad settings."""
    parser = argparse.ArgumentParser(prog="python -m worker.codec_server", description=__doc__)
    parser.add_argument(
        "--allow-encode", action="store_true", help="encrypt as well, at /tenants/TENANT/encode"
    )
    options = parser.parse_args(arguments)
    configure_logging(hides_messages=True)
    try:
        settings = CodecSettings.from_environment(os.environ)
        service = CodecService(
            KeyringFile(settings.keyring), settings.origins, may_encode=options.allow_encode
        )
        _serve(service, settings.address)
    except UsageError as error:
        _LOGGER.error("%s", error)  # noqa: TRY400 - one line for people, not a trace
        return 2
    return 0


def _serve(service: CodecService, address: Address) -> None:
    try:
        web.run_app(
            service.application(),
            host=address.host,
            port=address.port,
            print=None,
            access_log=None,
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
    except OSError as error:
        raise UsageError(
            f"ROUTERFLEET_CODEC_ADDRESS: {address} cannot be listened on: {error.strerror or error}"
        ) from error
