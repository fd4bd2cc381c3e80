"""Which files the checks look at, and C++ text without what only looks like code."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CPP = (".h", ".cpp")

# In this order, so that a quote in a comment or a slash in a string misleads nobody.
_TOKEN = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"
      | "(?:[^"\\\n]|\\.)*"
      | (?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)+'""",
    re.DOTALL | re.VERBOSE)


def tracked(*suffixes, root=ROOT):
    """Paths below `root`, relative, of files that git knows or would add."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=root, check=True, capture_output=True).stdout.decode()
    paths = sorted(path for path in set(listed.split("\0")) if path)
    return [path for path in paths if path.endswith(suffixes) and (root / path).is_file()]


def blank(match):
    """Same lines, no words: a comment becomes spaces, a string becomes \"\"."""
    text = match.group(0)
    inside = re.sub(r"[^\n]", " ", text)
    return inside if text.startswith("/") else '""' + inside[2:]


def code_only(text):
    """`text` without comments and the insides of strings; every line keeps its number."""
    return _TOKEN.sub(blank, text)


def without_comments(text):
    """`text` without comments; strings stay."""
    return _TOKEN.sub(lambda m: blank(m) if m.group(0).startswith("/") else m.group(0), text)
