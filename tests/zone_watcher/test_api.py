from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.zone_watcher.support import SOURCES, FakeApi, account, serving
from zone_watcher.api import Api
from zone_watcher.cluster import Cluster
from zone_watcher.errors import ApiError
from zone_watcher.model import Pod

ZONES = ("zone-a", "zone-b", "zone-c")


@pytest.fixture
def fake() -> FakeApi:
    return FakeApi()


@pytest.fixture
def cluster(fake: FakeApi, tmp_path: Path) -> Iterator[Cluster]:
    with serving(fake, tmp_path) as port:
        api = Api("127.0.0.1", port, tmp_path)
        yield Cluster(api, "temporal", ZONES, SOURCES, "postgres", "10.0.0.2")
        api._forget()


def test_everything_is_read_where_it_is(cluster: Cluster) -> None:
    assert cluster.sites().own_zone == "zone-a"
    assert cluster.database().primary == "postgres-3"
    assert cluster.pod("postgres-3") == Pod("postgres-3", "uid-3", "node-c", is_running=True)
    assert cluster.pod("postgres-9") is None
    assert cluster.renewal("node-c") == "10:00:00"


def test_a_pod_is_deleted_once_and_by_its_uid_only(cluster: Cluster, fake: FakeApi) -> None:
    assert not cluster.delete("postgres-3", "uid-of-its-predecessor")
    assert fake.deleted == []

    assert cluster.delete("postgres-3", "uid-3")
    assert not cluster.delete("postgres-3", "uid-3")
    assert fake.deleted == [("postgres-3", "uid-3")]


def test_a_read_tries_again_where_the_server_hung_up(cluster: Cluster, fake: FakeApi) -> None:
    fake.hangs_up = 2

    assert cluster.renewal("node-c") == "10:00:00"
    assert len(fake.asked) == 3


def test_a_deletion_is_tried_once(cluster: Cluster, fake: FakeApi) -> None:
    fake.hangs_up = 1

    with pytest.raises(ApiError, match=r"^DELETE /api/v1/namespaces/temporal/pods/postgres-3: ") as caught:
        cluster.delete("postgres-3", "uid-3")

    assert caught.value.status == 0
    assert len(fake.asked) == 1


def test_a_refusal_is_an_error_with_its_status(cluster: Cluster, fake: FakeApi) -> None:
    fake.is_failing = True

    with pytest.raises(ApiError) as caught:
        cluster.database()

    assert caught.value.status == 500
    assert len(fake.asked) == 1


def test_the_token_is_read_anew_each_time(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("an-old-one")
    with pytest.raises(ApiError) as caught:
        cluster.renewal("node-c")
    assert caught.value.status == 401

    (tmp_path / "token").write_text("a-token")
    assert cluster.renewal("node-c") == "10:00:00"


def test_a_server_of_another_authority_is_not_believed(cluster: Cluster, tmp_path: Path) -> None:
    cluster.api._forget()
    account(tmp_path)

    with pytest.raises(ApiError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        cluster.database()

    assert caught.value.status == 0


def test_an_account_that_is_not_there_is_an_error_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="FileNotFoundError"):
        Api("127.0.0.1", 1, tmp_path).get("/version")
