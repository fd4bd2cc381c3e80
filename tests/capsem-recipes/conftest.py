"""The commands of the repository itself: quickstart, test, check and what they are made of."""
import sys

from support import paths

# The checks are programs; their rules are read here as modules.
sys.path.insert(0, str(paths.ROOT / "tools/dev"))
sys.dont_write_bytecode = True


def pytest_configure(config):
    config.addinivalue_line("markers", "recipes: quickstart, test, check and the rules that check holds")
