"""check_sizes.py and the functions that it finds."""
import subprocess

import check_sizes
import cpp_functions
import pytest

pytestmark = pytest.mark.recipes

SAMPLE = '''
#include <vector>
namespace capsem {
namespace {
constexpr int kTable[] = {1, 2, 3};
struct Plain { int a = 0; };
}  // namespace
Foo::Foo(int a, std::map<int, int> b)
    : a_(a), b_{std::move(b)},
      watch_(loop, [this](int ready) { OnReady(ready); }) {
  Start();
}
enum class Kind { kOne, kTwo };
StatusOr<std::pair<int, int>> Parse(std::string_view text) noexcept {
  if (text == "{ (") {        // a brace { in a comment
    for (const char c : text) {
      while (true) {
        const auto f = [&] { if (c) { return 1; } return 0; };
      }
    }
  }
  return std::pair{1, 2};
}
class Bar {
 public:
  bool operator()(int a) const { return a > 0; }
  void Declared(int a, int b);
  ~Bar() override {}
};
TEST_CASE("a sentence, with a comma") { REQUIRE(true); }
}
'''


def test_functions_are_found_with_their_measures():
    found = [(f.name, f.line, f.lines, f.parameters, f.nesting) for f in cpp_functions.functions(SAMPLE)]
    assert found == [
        ("Foo::Foo", 8, 5, 2, 0),
        ("Parse", 14, 10, 1, 4),
        ("operator()", 26, 1, 1, 0),
        ("~Bar", 28, 1, 0, 0),
        ("TEST_CASE", 30, 1, 1, 0),
    ]


def function(lines=3, parameters=0, nesting=0):
    head = f"void F({', '.join(f'int a{i}' for i in range(parameters))}) {{\n"
    inner = "if (x) {\n" * nesting + "}\n" * nesting
    return head + inner + "x();\n" * (lines - 2 - 2 * nesting) + "}\n"


CASES = [
    # path, text, (failures, warnings)
    ("a.cpp", function(), (0, 0)),
    ("a.cpp", function(lines=40), (0, 0)),
    ("a.cpp", function(lines=41), (0, 1)),
    ("a.cpp", function(lines=71), (1, 0)),
    ("a.cpp", function(parameters=6), (0, 1)),
    ("a.cpp", function(parameters=8), (1, 0)),
    ("a.cpp", function(lines=12, nesting=4), (0, 1)),
    ("a.cpp", function(lines=14, nesting=5), (1, 0)),
    ("a.cpp", "int a;\n" * 351, (0, 1)),
    ("a.cpp", "int a;\n" * 501, (1, 0)),
    ("a.h", "int a;\n" * 151, (0, 1)),
    ("a.h", "int a;\n" * 226, (1, 0)),
    ("a_test.cpp", "int a;\n" * 601, (0, 1)),
    ("a_test.cpp", "int a;\n" * 901, (1, 0)),
    ("main.cpp", "int a;\n" * 81, (0, 1)),
    ("main.cpp", "int a;\n" * 121, (1, 0)),
    ("a.py", "a = 1\n" * 501, (1, 0)),
]


@pytest.mark.parametrize("path,text,expected", CASES, ids=range(len(CASES)))
def test_a_bar_holds(tmp_path, path, text, expected):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / path).write_text(text)
    found = list(check_sizes.findings(tmp_path))
    assert (sum(bad for bad, _ in found), sum(not bad for bad, _ in found)) == expected, found
    done = subprocess.run([check_sizes.__file__, tmp_path], capture_output=True)
    assert done.returncode == (1 if expected[0] else 0)
