"""HAProxy before the frontends: HTTP/2 on both sides, one request at a time, checks that see a drain."""

from __future__ import annotations

from infra.rendering.grpc_check import SERVING, health_check_request
from infra.services import BALANCER_DRAIN_SECONDS, BALANCER_PORT, BALANCER_STATUS_PORT, FRONTEND

_SPARE_SLOTS = 3
"""Server slots beyond twice the replicas: pods of a rolling update and of zones not yet forgotten."""


def render_haproxy(frontends_host: str, replicas: int) -> str:
    """Render haproxy.cfg.

    Args:
        frontends_host: DNS name that has the address of every frontend pod, ready or not.
        replicas: Frontend pods of the stack.
    """
    request = health_check_request(FRONTEND.health_service, authority="temporal").hex()
    slots = 2 * replicas + _SPARE_SLOTS
    return _TEMPLATE.format(
        port=BALANCER_PORT,
        status_port=BALANCER_STATUS_PORT,
        drain=BALANCER_DRAIN_SECONDS,
        request=request,
        answer=SERVING[:-1].hex(),
        serving=SERVING.hex(),
        slots=slots,
        host=frontends_host,
        frontend_port=FRONTEND.grpc_port,
    )


_TEMPLATE = """\
global
  log stdout format raw local0 notice
  maxconn 4096
  # After SIGUSR1 open calls are finished for this long, then the process ends.
  hard-stop-after {drain}s
  # Workers hold their connections for days; one that is only told to leave when idle must hear it at once.
  close-spread-time 1s

defaults
  log global
  mode http
  option redispatch 1
  retries 3
  # A call that never reached a server may be sent to another; nothing else may be repeated.
  retry-on conn-failure
  timeout connect 2s
  # Long polls last 60 s and a history stream longer; idle connections are cheap.
  timeout client 10m
  timeout server 10m
  timeout check 2s
  # A peer that went silent with its zone is noticed by the kernel in 11 s, and its open calls fail then.
  option srvtcpka
  srvtcpka-idle 5s
  srvtcpka-intvl 2s
  srvtcpka-cnt 3
  option clitcpka
  clitcpka-idle 5s
  clitcpka-intvl 2s
  clitcpka-cnt 3

resolvers cluster
  parse-resolv-conf
  # Negative answers are short: a frontend that comes up is known within two seconds.
  timeout resolve 1s
  timeout retry 1s
  resolve_retries 3
  hold valid 2s
  hold nx 2s
  hold other 10s
  hold refused 10s
  hold timeout 10s
  # A pod that left DNS is only forgotten after this; checks have taken it out long before.
  hold obsolete 10s
  accepted_payload_size 8192

frontend temporal
  bind :{port} proto h2
  default_backend frontends

frontend status
  bind :{status_port}
  monitor-uri /readyz
  monitor fail if {{ nbsrv(frontends) lt 1 }}
  http-request return status 200 content-type text/plain string alive if {{ path /healthz }}
  http-request use-service prometheus-exporter if {{ path /metrics }}
  http-request return status 404

backend frontends
  balance leastconn
  # A gRPC health call as bytes (HTTP/2 frames): a draining frontend answers NOT_SERVING and is left at once,
  # while its open calls go on. Hence no `on-marked-down shutdown-sessions`: it would cut them off.
  option tcp-check
  tcp-check connect proto none
  tcp-check send-binary {request}
  # Any answer first, which may take a moment; then it is this one, or the check has failed without waiting on.
  tcp-check expect binary {answer}
  tcp-check expect min-recv 1 binary {serving}
  default-server proto h2 check check-proto none inter 1s fastinter 500ms fall 2 rise 1 init-addr none resolvers cluster resolve-prefer ipv4
  server-template frontend 1-{slots} {host}:{frontend_port}
"""
