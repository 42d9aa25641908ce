"""Connections to Temporal that outlast the failures a cluster is built to survive.

The SDK's own defaults give up after 10 seconds, notice a dead peer after 45 and stay with the first address
a name resolves to; a lost zone takes longer than that. The figures here are why deployments do not notice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import (
    DnsLoadBalancingConfig,
    KeepAliveConfig,
    RetryConfig,
    RPCError,
    RPCStatusCode,
)

from worker.encryption.converter import data_converter
from worker.errors import UsageError
from worker.settings import Address

RPC_TIMEOUT = timedelta(seconds=5)
"""Per attempt of a call that is not a long poll. The SDK does not try again after a time-out, so whoever
sets this repeats the call under the same request id (`worker.starting.starter`) or because it only reads."""

RETRY_BUDGET = timedelta(seconds=120)
"""How long a call goes on trying: longer than a lost zone's or a database failover's 40 to 75 seconds."""

_RETRY = RetryConfig(max_elapsed_time_millis=int(RETRY_BUDGET.total_seconds() * 1000), max_retries=0)
"""`max_retries=0` is "no limit": time alone ends the trying."""

_KEEP_ALIVE = KeepAliveConfig(interval_millis=15_000, timeout_millis=5_000)
"""A black-holed peer is noticed within 20 s. Never below the server's `frontend.keepAliveMinTime` of 10 s,
which answers more frequent pings by closing the connection."""

_DNS_BALANCING = DnsLoadBalancingConfig(resolution_interval_millis=5_000)
"""Spreads calls over all addresses of a headless Service and forgets a vanished one within 5 s."""

_TRANSIENT = frozenset(
    {
        RPCStatusCode.CANCELLED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
    }
)


async def connect(
    environment: Mapping[str, str] | None = None,
    *,
    namespace: str | None = None,
    runtime: Runtime | None = None,
    converter: DataConverter | None = None,
) -> Client:
    """Connect as the SDK's `TEMPORAL_*` variables say; tries once.

    Payloads are encrypted when `ROUTERFLEET_KEYRING_FILE` is set: for a tenant's own workflows only, so every
    process that reads or starts them needs the variable.

    Args:
        environment: Default: the process's own.
        namespace: Default: `TEMPORAL_NAMESPACE`, or `default`.
        runtime: The SDK's runtime, which carries metrics and logs. Default: the SDK's.
        converter: How values become payloads. Default: as the environment says.

    Raises:
        UsageError: When `TEMPORAL_ADDRESS` is missing or malformed, or another variable or the keyring cannot
            be used.
        RuntimeError: When the server cannot be reached; this is the SDK's own choice of type.
    """
    variables = os.environ if environment is None else environment
    Address.parse("TEMPORAL_ADDRESS", variables.get("TEMPORAL_ADDRESS", ""))
    try:
        # No file: a profile in somebody's home must not decide to which cluster a worker belongs.
        config = ClientConfig.load_client_connect_config(disable_file=True, override_env_vars=dict(variables))
    except RuntimeError as error:
        raise UsageError(f"TEMPORAL_*: {error}") from error
    if namespace is not None:
        config["namespace"] = namespace
    return await Client.connect(
        **config,
        retry_config=_RETRY,
        keep_alive_config=_KEEP_ALIVE,
        dns_load_balancing_config=_DNS_BALANCING,
        connect_timeout=RPC_TIMEOUT,
        runtime=runtime,
        data_converter=converter or data_converter(keyring_file(variables)),
    )


def keyring_file(environment: Mapping[str, str]) -> Path | None:
    """Return the keyring that `ROUTERFLEET_KEYRING_FILE` names; None: payloads are not encrypted."""
    name = environment.get("ROUTERFLEET_KEYRING_FILE")
    return Path(name) if name else None


def in_namespace(client: Client, namespace: str) -> Client:
    """Return a client of another namespace on the same connection, with the same converter."""
    config = client.config()
    config["namespace"] = namespace
    return Client(**config)


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may succeed later; a time-out of the SDK is an `RPCError` too."""
    return isinstance(error, RPCError) and error.status in _TRANSIENT
