"""HTTP on the loopback interface: who may come in, what is understood, what is answered."""
import pytest

from support import gateway
from support.fixtures import box, capsem, fresh_capsem  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.addinivalue_line("markers", "gateway: HTTP on the loopback interface: who may come in, what is understood.")


@pytest.fixture(scope="module")
def http(capsem):  # noqa: F811 (the fixture of that name)
    """The gateway of that service."""
    return gateway.of(capsem)
