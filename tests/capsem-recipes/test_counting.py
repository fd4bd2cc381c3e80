"""tools/dev/run_suites.py: what tools/test prints at the end is what happened."""
import json

import proofs
import pytest
import run_suites

pytestmark = pytest.mark.recipes


@pytest.mark.parametrize("output,counts", [
    ("===\nAll tests passed (12 assertions in 3 test cases)\n", (3, 0)),
    ("All tests passed (1 assertion in 1 test case)\n", (1, 0)),
    ("test cases: 12 | 11 passed | 1 failed\nassertions: 40 | 39 passed | 1 failed\n", (11, 1)),
    ("test cases: 2 | 2 failed\n", (0, 2)),
    ("No tests ran\n", (0, 1)),
    ("Segmentation fault\n", None),
])
def test_catch2s_last_lines_are_understood(output, counts):
    assert run_suites.catch_counts(output) == counts


@pytest.mark.parametrize("result,stdout,counts", [
    ("OK", "All tests passed (12 assertions in 3 test cases)\n", (3, 0)),
    ("OK", "a script that prints nothing of the kind", (1, 0)),
    ("OK", "......\n6 passed in 0.53s\n", (6, 0)),
    ("FAIL", "F.E\n=== short\n1 failed, 4 passed, 1 error in 0.53s\n", (4, 2)),
    ("FAIL", "test cases: 3 | 2 passed | 1 failed\n", (2, 1)),
    ("FAIL", "crashed before it could say anything", (0, 1)),
    ("TIMEOUT", "", (0, 1)),
    ("FAIL", "All tests passed (1 assertion in 1 test case)\n", (1, 1)),  # a crash on the way out
])
def test_mesons_log_is_counted_by_test_cases(result, stdout, counts):
    assert run_suites.meson_counts(json.dumps({"result": result, "stdout": stdout})) == counts


@pytest.mark.parametrize("xml,counts", [
    ('<testsuites><testsuite tests="5" failures="1" errors="1" skipped="1"/></testsuites>', (2, 2)),
    ('<testsuite tests="5" failures="0" errors="0" skipped="0"/>', (5, 0)),
    ("<testsuites><testsuite tests=", (0, 1)),
    (None, (0, 1)),
])
def test_pytests_report_is_counted(tmp_path, xml, counts):
    report = tmp_path / "report.xml"
    if xml is not None:
        report.write_text(xml)
    assert run_suites.junit_counts(report) == counts


@pytest.mark.parametrize("output,counts", [
    ("a: found\n8 passed, 0 failed\n", (8, 0)),
    ("FAILED a\n7 passed, 1 failed\n", (7, 1)),
    ("8 passed, 0 failed\nand then it crashed\n", None),
    ("", None),
])
def test_the_last_line_of_our_own_tools_is_counted(output, counts):
    assert proofs.told_counts(output) == counts


def test_a_long_form_leaves_what_it_said_and_how_it_went(monkeypatch, capsys, tmp_path):
    def long_form(proof):
        code, said = proof.run("sh", "-c", "echo $GREETING; exit 3", GREETING="figures")
        assert (code, said) == (3, "figures\n")
        return 4, 1

    monkeypatch.setattr(run_suites, "LONG", {"tale": long_form})
    monkeypatch.setattr(proofs, "PROOFS", tmp_path)
    monkeypatch.setattr("sys.argv", ["tools/test", "--long", "tale", "--size", "7"])
    assert run_suites.main() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "4 passed, 1 failed"
    text = (tmp_path / "tale.md").read_text()
    for part in ("# tale\n", "- command: `./tools/test --long tale --size 7`\n", "- commit: ", "- seed: ", "- duration: ",
                 "- result: 4 passed, 1 failed\n", "```\nfigures\n```\n"):
        assert part in text, text


def test_a_bad_exit_without_a_failed_test_is_a_failure():
    assert run_suites.counted(1, 7, 0) == (7, 1)
    assert run_suites.counted(1, 7, 2) == (7, 2)
    assert run_suites.counted(0, 7, 0) == (7, 0)


def test_the_last_line_is_the_sum_and_the_code_says_whether_all_is_well(monkeypatch, capsys, tmp_path):
    def outcome(**suites):
        monkeypatch.setattr(run_suites, "SUITES", {name: lambda _o, c=counts: c for name, counts in suites.items()})
        monkeypatch.setattr(run_suites, "REPORTS", tmp_path)
        monkeypatch.setattr("sys.argv", ["tools/test"])
        code = run_suites.main()
        return code, capsys.readouterr().out.splitlines()[-1]

    assert outcome(a=(3, 0), b=(4, 0)) == (0, "7 passed, 0 failed")
    assert outcome(a=(3, 0), b=(4, 1)) == (1, "7 passed, 1 failed")
    assert outcome(a=(0, 0)) == (1, "0 passed, 0 failed")


def test_a_suite_that_breaks_the_counting_is_a_failure(monkeypatch, capsys, tmp_path):
    def broken(_options):
        raise KeyError("no such thing")
    monkeypatch.setattr(run_suites, "SUITES", {"a": broken, "b": lambda _o: (2, 0)})
    monkeypatch.setattr(run_suites, "REPORTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["tools/test"])
    assert run_suites.main() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 1 failed"
