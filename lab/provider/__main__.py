"""Runs the plugin as the Pulumi CLI expects: the port on stdout, everything else on stderr."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from typing import cast

import grpc.aio
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2_grpc

from lab.provider.servicer import Engine, Servicer

MAX_MESSAGE_BYTES = 400 << 20
"""The engine's own limit. Source: rpcutil.GrpcChannelOptions of pulumi/pulumi, v3."""
GRACE_SECONDS = 1.0
"""For calls under way when the plugin is ended: the engine has already had its answers, or no longer wants them."""


async def serve(engine_address: str) -> None:
    """Serve until the engine ends the process.

    Args:
        engine_address: `host:port` of the engine, empty for none.
    """
    limits = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ]
    server = grpc.aio.server(options=limits)
    engine: Engine | None = None
    if engine_address:
        engine = cast("Engine", engine_pb2_grpc.EngineStub(grpc.aio.insecure_channel(engine_address)))
    servicer = Servicer(engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # The engine ends a plugin by an interrupt and waits five seconds for it before it kills.
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    print(port, flush=True)
    await ended.wait()
    await server.stop(GRACE_SECONDS)
    await servicer.close()


def main(arguments: Sequence[str]) -> None:
    """Run the plugin; the first argument that is no option is the engine's address."""
    asyncio.run(serve(next((argument for argument in arguments if not argument.startswith("-")), "")))


if __name__ == "__main__":
    main(sys.argv[1:])
