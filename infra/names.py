"""Names of objects that more than one component refers to."""

from __future__ import annotations

from worker.tenancy import worker_deployment

POSTGRES = "postgres"
"""CloudNativePG cluster; its Services and Secrets derive from it."""
POSTGRES_PRIMARY = f"{POSTGRES}-rw"
"""Service of the primary, made by the operator."""
POSTGRES_INSTANCES = f"{POSTGRES}-r"
"""Service of all instances, made by the operator."""
POSTGRES_OWNER_SECRET = f"{POSTGRES}-app"
"""Secret with the owner's password, made by the operator, so that no password passes through Pulumi."""
POSTGRES_PORT = 5432
"""PostgreSQL's and PgBouncer's port."""
POOLER = f"{POSTGRES}-pooler"
"""PgBouncer; also the name of its Service."""
ZONE_WATCHER = "zone-watcher"
"""What acts on a dark zone; also the name of its Service."""

DATABASE_OWNER = "temporal"
"""Role that owns both databases."""
DEFAULT_DATABASE = "temporal"
"""Database of the default store."""
VISIBILITY_DATABASE = "temporal_visibility"
"""Database of the visibility store."""

SERVER_CONFIG = "temporal-server"
"""ConfigMap of the servers' static configuration."""
SERVER_CONFIG_KEY = "server.yaml"
"""Its one entry."""
DYNAMIC_CONFIG = "temporal-dynamic"
"""ConfigMap of the servers' dynamic configuration."""
DYNAMIC_CONFIG_KEY = "dynamic.yaml"
"""Its one entry."""

BALANCER = "temporal-balancer"
"""HAProxy."""
ADDRESS_SERVICE = "temporal"
"""Service that clients connect to."""
DIRECT_SERVICE = "temporal-direct"
"""Headless Service over the balancer's pods, for clients that balance themselves."""
UI = "temporal-ui"
"""Web interface."""

TENANTS = "tenants"
"""ConfigMap of the tenants file and Job that reconciles it."""
TENANTS_KEY = "tenants.json"
"""Entry of that ConfigMap."""

PAYLOAD_KEYS = "payload-keys"
"""Secret with the keyring, where it comes from the stack's configuration."""
PAYLOAD_KEYS_KEY = "keyring.json"
"""Entry of that Secret, and of one that somebody else made."""
INVENTORY = "inventory"
"""ConfigMap of the routers that are no simulation."""
INVENTORY_KEY = "inventory.json"
"""Its one entry."""
CODEC_SERVER = "codec-server"
"""Decrypts payloads for people; also the name of its Service."""


def server(service: str) -> str:
    """Return the name of a Temporal service's workload."""
    return f"temporal-{service}"


def pool(name: str) -> str:
    """Return the name of a worker pool's workload, under which its workers register with Temporal too."""
    return worker_deployment(name)


def host(service: str, namespace: str, domain: str) -> str:
    """Return the full DNS name of a Service."""
    return f"{service}.{namespace}.svc.{domain}"
