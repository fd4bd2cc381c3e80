"""The fixtures that suites share; a suite's conftest.py imports the ones that it uses."""
import pytest

from support.capsem_home import CapsemHome
from support.service import Service


@pytest.fixture
def service():
    """A service for one test."""
    with Service() as running:
        yield running


@pytest.fixture(scope="module")
def module_service():
    """A service for the tests of one file: for tests that do not mind each other."""
    with Service() as running:
        yield running


@pytest.fixture(scope="module")
def module_session(module_service):
    """A running machine for the tests of one file."""
    return module_service.api.create().id


@pytest.fixture
def home():
    """The home of a service that is not running; what runs there at the end is ended."""
    with Service(start=False) as stopped:
        yield stopped


@pytest.fixture(scope="module")
def capsem():
    """A service for the tests of one file, and the CLI on it."""
    with CapsemHome() as running:
        yield running


@pytest.fixture
def fresh_capsem():
    """The same for one test: for those that kill the service or count what is there."""
    with CapsemHome() as running:
        yield running


@pytest.fixture(scope="module")
def box(capsem):
    """A running session that the tests of one file share."""
    return capsem.create()


@pytest.fixture(scope="module")
def client(capsem):
    """A gRPC client of that service."""
    return capsem.api
