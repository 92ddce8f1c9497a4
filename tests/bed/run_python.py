"""run_python.py REPORT DIR… - runs the unittest files of some folders, writes what came of each test, as JSON, and says where the
time went."""
import collections
import json
import pathlib
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parent.parent


class Recorder(unittest.TextTestResult):
    def __init__(self, *args):
        super().__init__(*args)
        self.records = []
        self.seconds = collections.Counter()      # by module
        self.began = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        now = time.monotonic()
        self.seconds[type(test).__module__] += now - self.began
        self.began = now

    def record(self, test, outcome, reason=""):
        self.records.append({"name": test.id(), "outcome": outcome, "reason": reason})

    def addSuccess(self, test):
        super().addSuccess(test)
        self.record(test, "passed")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.record(test, "failed", str(error[1]))

    def addError(self, test, error):
        super().addError(test, error)
        self.record(test, "failed", str(error[1]))

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.record(subtest, "failed", str(error[1]))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.record(test, "skipped", reason)


def main():
    report, folders = sys.argv[1], sys.argv[2:]
    sys.path.insert(0, str(TESTS))
    suite, began = unittest.TestSuite(), time.monotonic()
    for folder in folders:
        suite.addTests(unittest.TestLoader().discover(folder, top_level_dir=str(TESTS)))
    result = unittest.TextTestRunner(resultclass=Recorder, verbosity=2, stream=sys.stdout).run(suite)
    with open(report, "w") as f:
        json.dump(result.records, f)
    for module, seconds in result.seconds.most_common(8):
        print(f"{seconds:4.0f} s {module}")
    print(f"{len(result.records)} tests in {time.monotonic() - began:.0f} s")
    return not result.wasSuccessful()


if __name__ == "__main__":
    sys.exit(main())
