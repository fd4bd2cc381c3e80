"""Finds the functions of a C++ file by its braces: name, lines, parameters, nesting. For code as clang-format leaves it."""
import dataclasses
import re

import source_files

CONTROL = re.compile(r"\b(if|else|for|while|switch|do|try|catch)\b")
SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b[^()=]*$")
# Name and parameters at the end of a head: `Foo::Bar(int a, int b) const noexcept -> T`, or with `: a_(a), b_{b}`.
PARAMETERS_START = re.compile(r"(operator\s*\S{1,3}|[~\w:]+)\s*\(")


@dataclasses.dataclass
class Function:
    name: str
    line: int        # of its first line
    lines: int       # from there to its closing brace
    parameters: int
    nesting: int     # control statements within each other


def matching(text, start, opening="(", closing=")"):
    """Index of the bracket that closes the one at `start`, or -1."""
    depth = 0
    for index in range(start, len(text)):
        if text[index] == opening:
            depth += 1
        elif text[index] == closing:
            depth -= 1
            if depth == 0:
                return index
    return -1


def count_parameters(inside):
    """Commas at the top level of a parameter list, and one."""
    if inside.strip() in ("", "void"):
        return 0
    depth, commas = 0, 0
    for character in inside:
        depth += {"(": 1, "<": 1, "[": 1, "{": 1, ")": -1, ">": -1, "]": -1, "}": -1}.get(character, 0)
        commas += character == "," and depth == 0
    return commas + 1


def function_head(head):
    """(name, parameters) when `head`, the text before a brace, ends as a function's head does; else None."""
    if "(" not in head or SCOPE.search(head) or re.search(r"[=,]\s*$|\breturn\b", head):
        return None
    for match in PARAMETERS_START.finditer(head):
        end = matching(head, match.end() - 1)
        if end < 0:
            return None
        rest = head[end + 1:].strip()
        if re.match(r"(const|noexcept|override|final|mutable|&&?|->.*|:.*|requires.*|\s)*$", rest, re.DOTALL):
            name = match.group(1)
            if CONTROL.fullmatch(name) or name in ("decltype", "noexcept", "alignas", "__attribute__"):
                continue
            return name, count_parameters(head[match.end():end])
    return None


def in_initializer(head):
    """Is the brace after `head` that of a member initializer: `Foo() : a_{`?"""
    return re.search(r"\)\s*(?:noexcept\s*)?:(?!:).*[\w>]$", head, re.DOTALL) is not None and \
        re.search(r"[:,]\s*[\w:<>, ]+$", head) is not None


class _Scanner:
    """One pass over the code. `stack` holds what each open brace is: scope, function, control, other."""

    def __init__(self, code):
        self.code = code
        self.stack = []
        self.found = []
        self.head_start = 0
        self.parens = 0

    def inside_function(self):
        return any(kind == "function" for kind, _ in self.stack)

    def nesting(self):
        return sum(kind == "control" for kind, _ in self.stack)

    def open_brace(self, index):
        head = self.code[self.head_start:index].strip()
        if self.inside_function():
            is_control = CONTROL.match(head) and head.endswith((")", "else", "do", "try"))
            self.stack.append(("control" if is_control else "other", None))
            function = next(function for kind, function in reversed(self.stack) if kind == "function")
            function.nesting = max(function.nesting, self.nesting())
            return True
        if self.parens > 0 or in_initializer(head):  # a lambda among arguments, or `a_{`
            self.stack.append(("initializer", None))
            return False
        described = function_head(head)
        if not described:
            self.stack.append(("scope", None))
            return True
        begin = self.head_start + len(self.code[self.head_start:index]) - len(self.code[self.head_start:index].lstrip())
        line = self.code.count("\n", 0, begin) + 1
        function = Function(described[0], line, 0, described[1], 0)
        self.found.append(function)
        self.stack.append(("function", function))
        return True

    def close_brace(self, index):
        if not self.stack:
            return True
        kind, function = self.stack.pop()
        if function:
            function.lines = self.code.count("\n", 0, index) + 2 - function.line
        return kind != "initializer"

    def run(self):
        for index, character in enumerate(self.code):
            ends_head = False
            if character == "{":
                ends_head = self.open_brace(index)
            elif character == "}":
                ends_head = self.close_brace(index)
            elif character in "()":
                self.parens += 1 if character == "(" else -1
            elif character == ";":
                ends_head = self.parens == 0 or self.inside_function()
            elif character == ":":
                ends_head = re.search(r"\b(public|private|protected|default|case [^;{}?]*)\s*$",
                                      self.code[self.head_start:index]) is not None
            if ends_head:
                self.head_start = index + 1
        return self.found


def functions(text):
    """Every function with a body, in order; lambdas belong to the function around them."""
    code = source_files.code_only(text)
    # A preprocessor line is no part of any head.
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.MULTILINE)
    return _Scanner(code).run()
