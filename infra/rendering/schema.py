"""What the schema job runs: setup of the version tables, then every update the tools know of, per store."""

from __future__ import annotations

from infra.rendering.temporal_config import PLUGIN
from infra.stores import SqlStore, StoreName, Stores

STORES: dict[StoreName, str] = {"default": "temporal", "visibility": "visibility"}
"""Folder of each store's schema among the tools' own."""

_SCHEMA_ROOT = "/etc/temporal/schema/postgresql/v12"
"""Where the admin tools' image keeps the schema."""


def schema_script() -> str:
    """Return the shell script of the job.

    Both commands are safe to repeat: setup leaves a newer schema alone, update starts from the version it finds.
    """
    return "\n".join(_steps(name, folder) for name, folder in STORES.items())


def _steps(name: StoreName, folder: str) -> str:
    prefix = name.upper()
    assignments = " ".join(f'{variable}="${{{prefix}_{variable}}}"' for variable in _VARIABLES)
    tool = f'{assignments} SQL_PASSWORD="${{{prefix}_STORE_PASSWORD}}" temporal-sql-tool'
    return "\n".join(
        [
            f'echo "{name} store: setup"',
            f"{tool} setup-schema --version 0.0",
            f'echo "{name} store: update"',
            f"{tool} update-schema --schema-dir {_SCHEMA_ROOT}/{folder}/versioned",
        ]
    )


_VARIABLES = (
    "SQL_PLUGIN",
    "SQL_HOST",
    "SQL_PORT",
    "SQL_USER",
    "SQL_DATABASE",
    "SQL_CONNECT_ATTRIBUTES",
    "SQL_TLS",
    "SQL_TLS_CA_FILE",
    "SQL_TLS_SERVER_NAME",
)


def schema_variables(stores: Stores) -> dict[str, str]:
    """Return the job's plain environment: each store's variables, prefixed with the store's name."""
    return {
        f"{store.name.upper()}_{variable}": value
        for store in stores.both()
        for variable, value in _variables(store).items()
    }


def _variables(store: SqlStore) -> dict[str, str]:
    host, _, port = store.schema_address.rpartition(":")
    tls = store.tls
    ca_file = f"{store.ca_mount}/{tls.ca_secret.key}" if tls and tls.ca_secret else ""
    values = (
        PLUGIN,
        host,
        port,
        store.user,
        store.database,
        "connect_timeout=5",
        str(tls is not None).lower(),
        ca_file,
        (tls.server_name if tls else None) or "",
    )
    return dict(zip(_VARIABLES, values, strict=True))
