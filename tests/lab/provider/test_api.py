"""Requests, retries and discovery, against a small HTTP server that plays the API server."""

import ssl
from collections import Counter

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from lab.provider import api as api_module
from lab.provider.api import Api, Kind
from lab.provider.errors import ApiError, NoKindError, UnreachableError
from lab.provider.kubeconfig import Connection

RESOURCES = {"resources": [
    {"kind": "ConfigMap", "name": "configmaps", "namespaced": True},
    {"kind": "Namespace", "name": "namespaces", "namespaced": False},
    {"kind": "Status", "name": "namespaces/status", "namespaced": False},
]}  # fmt: skip
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


class FakeServer:
    """Answers from a table of (method, path) -> list of (status, body); the last answer stays."""

    def __init__(self) -> None:
        self.answers = {("GET", "/api/v1"): [(200, RESOURCES)]}
        self.seen = Counter()
        self.queries = []

    async def handle(self, request: web.Request) -> web.Response:
        key = (request.method, request.path)
        self.seen[key] += 1
        self.queries.append(dict(request.query))
        if key not in self.answers:
            return web.Response(status=404, text="404 page not found")
        answers = self.answers[key]
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.json_response(body, status=status)


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    monkeypatch.setattr(api_module, "RETRY_PAUSES_SECONDS", (0.0,) * 5)


@pytest.fixture
def fake() -> FakeServer:
    return FakeServer()


@pytest.fixture
async def api(fake):
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.handle)
    async with TestServer(app) as server:
        found = Api(Connection(str(server.make_url("")).rstrip("/"), "own", ssl.create_default_context()))
        yield found
        await found.close()


async def test_paths_follow_discovery_which_is_asked_once(api, fake):
    assert await api.path(CONFIG_MAP) == "/api/v1/namespaces/own/configmaps/a"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
    assert await api.path(namespace) == "/api/v1/namespaces/a"
    assert fake.seen == {("GET", "/api/v1"): 1}


async def test_a_kind_that_arrives_later_is_found(api, fake):
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "n"}}
    with pytest.raises(NoKindError, match=r"has no kind Thing in example.com/v1 \(is its CRD installed\?\)"):
        await api.path(thing)
    served = {"resources": [{"kind": "Thing", "name": "things", "namespaced": True}]}
    fake.answers["GET", "/apis/example.com/v1"] = [(404, {"message": "no"}), (200, served)]
    assert await api.path(thing, wait_seconds=5) == "/apis/example.com/v1/namespaces/n/things/a"


async def test_another_version_of_the_group_will_do(api, fake):
    fake.answers["GET", "/apis/example.com"] = [(200, {"versions": [{"groupVersion": "example.com/v2"}]})]
    served = {"resources": [{"kind": "Thing", "name": "things", "namespaced": True}]}
    fake.answers["GET", "/apis/example.com/v2"] = [(200, served)]
    assert await api.any_version("example.com/v1", "Thing") == Kind(
        "/apis/example.com/v2", "things", is_namespaced=True
    )
    assert await api.any_version("example.com/v1", "Other") is None
    assert await api.any_version("other.com/v1", "Thing") is None


async def test_an_overloaded_server_is_asked_again(api, fake):
    fake.answers["GET", "/x"] = [(503, {"message": "starting"}), (429, {"message": "busy"}), (200, {"a": 1})]
    assert await api.call("GET", "/x") == {"a": 1}
    assert fake.seen["GET", "/x"] == 3


async def test_a_server_that_stays_overloaded_is_an_error(api, fake):
    fake.answers["GET", "/x"] = [(503, {"message": "starting"})]
    with pytest.raises(ApiError, match=r"^starting$"):
        await api.call("GET", "/x")
    assert fake.seen["GET", "/x"] == 6


async def test_a_refusal_is_not_repeated(api, fake):
    fake.answers["PATCH", "/x"] = [(422, {"message": "no", "reason": "Invalid"})]
    with pytest.raises(ApiError) as caught:
        await api.apply("/x", CONFIG_MAP, "me", is_dry_run=True)
    assert (caught.value.code, caught.value.reason, str(caught.value)) == (422, "Invalid", "no")
    assert fake.seen["PATCH", "/x"] == 1
    strict = {"fieldManager": "me", "force": "false", "fieldValidation": "Strict", "dryRun": "All"}
    assert fake.queries[-1] == strict


async def test_what_is_not_there_is_none(api):
    assert await api.get("/x") is None


async def test_an_unreachable_server_is_one_line():
    address = f"http://127.0.0.1:{unused_port()}"
    api = Api(Connection(address, "default", ssl.create_default_context()))
    with pytest.raises(UnreachableError, match=f"^cannot reach the Kubernetes API server {address}: .*$"):
        await api.get("/x")
    await api.close()
