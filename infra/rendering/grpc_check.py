"""A gRPC health check as raw HTTP/2 bytes, for a balancer that can send bytes but not speak gRPC.

HAProxy's own HTTP/2 check cannot carry a binary body, and a check on the HTTP API port misses a frontend that
drains: only gRPC health answers NOT_SERVING the moment it begins. So the check opens a connection, sends the
frames below and waits for the bytes of a SERVING answer.

Sources: RFC 9113 (frames), RFC 7541 (header compression), grpc.health.v1.
"""

from __future__ import annotations

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""First bytes of every HTTP/2 connection of a client."""

_DATA, _HEADERS, _SETTINGS = 0x0, 0x1, 0x4
_END_STREAM, _END_HEADERS, _ACK = 0x1, 0x4, 0x1
_STREAM = 1

SERVING = bytes([0, 0, 0, 0, 2, 0x08, 1])
"""gRPC message of HealthCheckResponse{status: SERVING}: no compression, two bytes, field 1 = 1."""


def health_check_request(service: str, authority: str) -> bytes:
    """Return everything a client sends for one `grpc.health.v1.Health/Check`.

    Args:
        service: Name of the service whose health is asked for, at most 125 bytes.
        authority: Value of `:authority`; any name will do.
    """
    return b"".join(
        [
            PREFACE,
            _frame(_SETTINGS, 0, 0, b""),
            # Acknowledged before they arrived: nothing they could change matters to one small call.
            _frame(_SETTINGS, _ACK, 0, b""),
            _frame(_HEADERS, _END_HEADERS, _STREAM, _headers(authority)),
            _frame(_DATA, _END_STREAM, _STREAM, _message(service)),
        ]
    )


def _headers(authority: str) -> bytes:
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority,
        "content-type": "application/grpc",
        "te": "trailers",
    }
    return b"".join(_literal(name, value) for name, value in fields.items())


def _literal(name: str, value: str) -> bytes:
    """Encode a header as a literal without indexing and without Huffman coding (RFC 7541, 6.2.2)."""
    return b"\x00" + _string(name) + _string(value)


def _string(text: str) -> bytes:
    raw = text.encode()
    if len(raw) >= 0x7F:
        raise ValueError(f"{text!r} is too long for a one-byte length: at most 126 bytes")
    return bytes([len(raw)]) + raw


def _message(service: str) -> bytes:
    """Encode HealthCheckRequest{service} with gRPC's prefix: no compression, four bytes of length."""
    body = b"\x0a" + _string(service)
    return b"\x00" + len(body).to_bytes(4, "big") + body


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
