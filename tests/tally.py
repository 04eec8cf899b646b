#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Adds up what ./dev test ran, shows what failed, ends in the one line "N passed, N failed".

Takes the folder of results: meson.json (a line of JSON per test program), pytest.xml (JUnit),
tidy.log or tidy-passed.log, broken.log (a suite that did not even run). A cmocka program counts by
its cases, any other program as one.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

OUTPUT_LINES = 40
LINE_CHARS = 300


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def show(self, what, output):
        print(f"FAILED {what}")
        for line in output.rstrip().splitlines()[-OUTPUT_LINES:]:
            print(f"    {line[:LINE_CHARS]}")

    def add_meson(self, row):
        output = (row.get("stdout") or "") + (row.get("stderr") or "")
        cases = {
            word: sum(int(n) for n in re.findall(rf"\[  {word} +\] (\d+) test\(s\)", output))
            for word in ("PASSED", "SKIPPED", "FAILED")
        }
        ended_well = row["result"] in ("OK", "EXPECTEDFAIL")
        if row["result"] == "SKIP":
            self.skipped += 1
        elif ended_well:
            self.passed += cases["PASSED"] or 1
            self.skipped += cases["SKIPPED"]
        else:
            self.passed += cases["PASSED"]
            self.failed += cases["FAILED"] or 1
            self.show(f"{row['name']} ({row['result']})", output)

    def add_pytest(self, path):
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            trouble = [e for e in case if e.tag in ("failure", "error")]
            if trouble:
                self.failed += 1
                name = f"{case.get('classname')}.{case.get('name')}"
                self.show(name, "\n".join((e.text or "") for e in trouble))
            elif any(e.tag == "skipped" for e in case):
                self.skipped += 1
            else:
                self.passed += 1

    def add_tidy(self, path, passed):
        output = path.read_text(errors="replace")
        counts = re.search(r"(\d+) passed, (\d+) failed", output)
        if counts:
            self.passed += int(counts[1])
            self.failed += int(counts[2]) or (0 if passed else 1)
        else:
            self.passed += passed
            self.failed += not passed
        if not passed:
            self.show("tidy", output)


def main():
    results = pathlib.Path(sys.argv[1])
    tally = Tally()
    if (results / "meson.json").exists():
        for line in (results / "meson.json").read_text(errors="replace").splitlines():
            tally.add_meson(json.loads(line))
    if (results / "pytest.xml").exists():
        tally.add_pytest(results / "pytest.xml")
    for name in ("tidy.log", "tidy-passed.log"):
        if (results / name).exists():
            tally.add_tidy(results / name, name == "tidy-passed.log")
    if (results / "broken.log").exists():
        tally.failed += 1
        tally.show("a suite that did not run", (results / "broken.log").read_text(errors="replace"))
    skipped = f", {tally.skipped} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {tally.failed} failed{skipped}")
    return 1 if tally.failed or tally.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
