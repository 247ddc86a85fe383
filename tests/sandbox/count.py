#!/usr/bin/env python3
"""Counts what meson's runs of the tests did, and shows what failed.

    count.py FOLDER…    reads meson-logs/testlog*.json of each build folder; exits with 0 only if something passed and nothing failed

A test case is a line of TAP (cmocka's with CMOCKA_MESSAGE_OUTPUT=TAP). A program that speaks no TAP is one case. A program that did
not end well counts as failed even where every case that it told of had passed: it crashed, leaked or took too long. A folder without
a log is a build that failed, which counts as one.
"""
import json
import pathlib
import re
import sys

SHOWN = 200  # lines of a failing program's output


def count(run):
    """(passed, failed, skipped) of one program."""
    cases = re.findall(r"^(not ok|ok) \d+([^\n]*)", run.get("stdout", ""), re.MULTILINE)
    skipped = sum(1 for _, rest in cases if "# SKIP" in rest.upper())  # which cmocka says as "not ok"
    failed = sum(1 for word, rest in cases if word == "not ok" and "# SKIP" not in rest.upper())
    passed = len(cases) - failed - skipped
    if run["result"] == "SKIP":
        return passed, failed, skipped or 1
    if run["result"] != "OK":
        return passed, failed or 1, skipped
    return passed or (0 if cases else 1), failed, skipped


def show(folder, run):
    print(f"--- {folder}: {run['name']}: {run['result']}, exit status {run.get('returncode')}")
    for stream in ("stdout", "stderr"):
        lines = [line for line in run.get(stream, "").splitlines() if not line.startswith("ok ")]
        if len(lines) > SHOWN:
            print(f"… {len(lines) - SHOWN} lines before …")
        print("\n".join(lines[-SHOWN:]))


def count_folder(folder):
    totals = (0, 0, 0)
    logs = sorted(pathlib.Path(folder, "meson-logs").glob("testlog*.json"))
    if not logs:
        print(f"--- {folder}: could not be built, or has no such suite")
        return 0, 1, 0
    for log in logs:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            run = json.loads(line)
            counts = count(run)
            totals = tuple(map(sum, zip(totals, counts)))
            if counts[1] > 0:
                show(folder, run)
    return totals


def main():
    passed, failed, skipped = map(sum, zip((0, 0, 0), *map(count_folder, sys.argv[1:])))
    if skipped > 0:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
