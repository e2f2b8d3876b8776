"""`python -m bench [names] [--quick | --smoke]`: measures, prints one table, writes JSON."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback

from bench.report import Report

# In this order; each is a module with `run(report)`.
NAMES = ("fanout", "ingestion", "rest", "page", "startup", "growth")


def main() -> int:
    """This will run what is asked for; 1 when something failed or was lost."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="a few seconds each, to see it work")
    parser.add_argument("--smoke", action="store_true", help="the least that runs every part once")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    report = Report(quick=options.quick, smoke=options.smoke)
    for name in options.names or NAMES:
        try:
            importlib.import_module(f"bench.{name}").run(report)
        except Exception as error:  # noqa: BLE001 - the others are measured all the same
            traceback.print_exc()
            report.fail(f"{name}: {error}")
    path = report.write()
    print()
    print(report.table())
    print()
    for failure in report.failures:
        print(f"FAILED {failure}")
    print(f"Written to {path}")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
