"""What the schema job runs for each store: setup of the version tables, then every update the tools know of."""

from __future__ import annotations

from urllib.parse import urlencode

from infra.rendering.temporal_config import PLUGIN, connect_attributes
from infra.stores import SqlStore, StoreName

_FOLDERS: dict[StoreName, str] = {"default": "temporal", "visibility": "visibility"}
"""Folder of each store's schema among the tools' own."""

_SCHEMA_ROOT = "/etc/temporal/schema/postgresql/v12"
"""Where the admin tools' image keeps the schema."""

PASSWORD_VARIABLE = "SQL_PASSWORD"  # noqa: S105  # the name of a variable
"""Environment variable that the tool takes the password from."""


def schema_script(name: StoreName) -> str:
    """Return the shell script for one store.

    Every command is safe to repeat: setup leaves a newer schema alone, update starts from the version it finds.
    The last one changes nothing: it waits until the way that the servers take, through the pooler, answers as well.
    """
    update = f"update-schema --schema-dir {_SCHEMA_ROOT}/{_FOLDERS[name]}/versioned"
    as_servers = (
        '--endpoint "$SERVERS_HOST" --port "$SERVERS_PORT" --connect-attributes "$SERVERS_ATTRIBUTES"'
    )
    return "\n".join(
        [
            "temporal-sql-tool setup-schema --version 0.0",
            f"temporal-sql-tool {update}",
            f"until temporal-sql-tool {as_servers} {update}; do sleep 1; done",
            "",
        ]
    )


def schema_variables(store: SqlStore) -> dict[str, str]:
    """Return the tool's plain environment for one store; the password is not in it."""
    host, _, port = store.schema_address.rpartition(":")
    servers_host, _, servers_port = store.address.rpartition(":")
    variables = {
        "SQL_PLUGIN": PLUGIN,
        "SQL_HOST": host,
        "SQL_PORT": port,
        "SQL_USER": store.user,
        "SQL_DATABASE": store.database,
        "SQL_CONNECT_ATTRIBUTES": "connect_timeout=5",
        "SERVERS_HOST": servers_host,
        "SERVERS_PORT": servers_port,
        "SERVERS_ATTRIBUTES": urlencode(connect_attributes(store)),
    }
    if store.tls:
        variables["SQL_TLS"] = "true"
        if store.tls.ca_secret:
            variables["SQL_TLS_CA_FILE"] = f"{store.ca_mount}/{store.tls.ca_secret.key}"
        if store.tls.server_name:
            variables["SQL_TLS_SERVER_NAME"] = store.tls.server_name
    return variables
