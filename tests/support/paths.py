"""Where the programs under test lie."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Another build folder (a sanitizer's) is named by CAPSEM_TEST_BUILD.
BUILD = pathlib.Path(os.environ.get("CAPSEM_TEST_BUILD", ROOT / "build"))
BIN = BUILD / "bin"
# Holds the image that all tests share; `tools/test` fills it, no test writes in it.
SHARED_HOME = BUILD / "test-home"
