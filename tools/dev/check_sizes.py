#!/usr/bin/python3
"""The size bars of CONTRIBUTING.md, rule 9: a warning at the bar, a failure at the hard bar.

    tools/dev/check_sizes.py [--quiet] [ROOT]

--quiet leaves the warnings out. Every finding is printed as FILE:LINE; exit code 1 when one is over a hard bar.
"""
import argparse
import pathlib
import sys

import cpp_functions
import source_files

# what → (bar, hard bar); the hard bar is 1.5 times the bar where nothing else is said. Lines, or counts.
BARS = {
    "source file": (350, 500),
    "header": (150, 225),
    "test file": (600, 900),
    "main file": (80, 120),
    "function": (40, 70),
    "parameters": (5, 7),
    "nesting": (3, 4),
}


def file_kind(path):
    name = pathlib.PurePath(path).name
    if name.endswith(".h"):
        return "header"
    if name.endswith(("_test.cpp", "_test.py", "_fuzz.cpp")) or name.startswith("test_"):
        return "test file"
    return "main file" if name == "main.cpp" else "source file"


def measures(path, text):
    """(line, what, of whom, measure) of everything that has a bar."""
    yield 1, file_kind(path), "the file", text.count("\n")
    if not path.endswith(source_files.CPP):
        return
    for function in cpp_functions.functions(text):
        # A test case tells a story; its length is bounded by its file.
        if function.name not in ("TEST_CASE", "SCENARIO", "TEMPLATE_TEST_CASE"):
            yield function.line, "function", function.name, function.lines
        yield function.line, "parameters", function.name, function.parameters
        yield function.line, "nesting", function.name, function.nesting


def findings(root):
    """(is a failure, sentence) for everything over its bar."""
    for path in source_files.tracked(*source_files.CPP, ".py", root=root):
        text = (root / path).read_text(errors="replace")
        for line, what, whom, measure in measures(path, text):
            bar, hard = BARS[what]
            if measure > bar:
                yield measure > hard, f"{path}:{line}: {what} of {measure} ({whom}): bar {bar}, hard bar {hard}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=source_files.ROOT)
    options = parser.parse_args()
    failed = False
    for is_failure, sentence in findings(options.root.resolve()):
        failed |= is_failure
        if is_failure or not options.quiet:
            print(("" if is_failure else "warning: ") + sentence)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
