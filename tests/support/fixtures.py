"""The fixtures that suites share; a suite's conftest.py imports the ones that it uses."""
import pytest

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
