"""The configuration of Temporal's web interface."""

from __future__ import annotations

from infra.rendering.text import to_yaml
from infra.services import UI_PORT


def render_ui_config(temporal_address: str, default_namespace: str, codec_endpoint: str | None = None) -> str:
    """Render the whole configuration file; the image's own is not used.

    Args:
        temporal_address: Host and port of Temporal.
        default_namespace: Temporal namespace that the interface opens with.
        codec_endpoint: Where the reader's browser has payloads decrypted. Default: nowhere.
    """
    # Whatever browsers send to other sites by themselves stays away: the codec server asks for none of it.
    codec = {"endpoint": codec_endpoint, "passAccessToken": False, "includeCredentials": False}
    return to_yaml(
        {
            "temporalGrpcAddress": temporal_address,
            "host": "0.0.0.0",  # noqa: S104  # a pod's network namespace is its own; the Service must reach it
            "port": UI_PORT,
            "enableUi": True,
            "defaultNamespace": default_namespace,
            # Neither news nor version checks: a cluster without a way out must not wait for them.
            "disableNewsFetch": True,
            "notifyOnNewVersion": False,
            # Its session cookie must work over plain HTTP, as there is no certificate yet.
            "cors": {"cookieInsecure": True, "allowOrigins": []},
            "refreshInterval": "1m",
            **({"codec": codec} if codec_endpoint else {}),
        }
    )
