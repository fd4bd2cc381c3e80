"""Names: one session each, free again at once."""
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from support import rpc

pytestmark = pytest.mark.session

pb = rpc.sessions_pb2


def test_of_many_creates_of_one_name_exactly_one_wins(capsem):
    def create(_):
        api = rpc.Api(capsem.socket)
        try:
            return api.create(name="prize").id
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.ALREADY_EXISTS, error
            assert "prize" in rpc.error_of(error).cause
            assert rpc.error_of(error).remedy
            return None
        finally:
            api.close()

    with ThreadPoolExecutor(8) as pool:
        winners = [session for session in pool.map(create, range(8)) if session]
    assert len(winners) == 1
    assert [one["name"] for one in capsem.ok("list", "--json").json].count("prize") == 1
    capsem.ok("delete", "prize")


def test_a_name_is_free_at_once_after_delete_and_after_rename(capsem):
    first = capsem.create("-n", "seat")
    assert capsem.run("create", "-n", "seat").code == 3
    capsem.ok("delete", "seat")
    second = capsem.create("-n", "seat")
    assert second != first
    capsem.ok("rename", "seat", "bench")
    third = capsem.create("-n", "seat")
    assert capsem.run("rename", "bench", "seat").code == 3
    assert {one["name"]: one["id"] for one in capsem.ok("list", "--json").json if one["name"]} == {
        "bench": second, "seat": third}
    capsem.ok("delete", "seat", "bench")


def test_the_id_of_a_session_is_nobodys_name(capsem):
    session, other = capsem.create(), capsem.create("-n", "other")
    for words in (["create", "-n", session], ["rename", "other", session]):
        code, cause, _ = capsem.cli.error(*words)
        assert (code, cause) == (3, f"{session} is the id of another session")
    capsem.ok("delete", session, other)
    assert capsem.run("delete", session).code == 3  # said twice, it finds nobody
