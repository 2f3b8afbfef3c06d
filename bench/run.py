"""`make bench [ONLY=prefix]`: every comparison, written to bench/results.json."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import (
    admit,
    audit,
    batch,
    chicago,
    console,
    equal,
    explain,
    fastprop,
    features,
    http,
    online,
    queue,
    raising,
    spark,
    tuning,
)
from bench.measure import Comparison

SUITES: dict[str, Callable[[], Iterator[Comparison]]] = {
    "features.m": features.medium,
    "features.l": features.large,
    "features.growth_exponent": features.large,
    "features.s.fastprop": fastprop.comparisons,
    "features.chicago_vs_triage": chicago.comparisons,
    "features.equal": equal.comparisons,
    "features.spark": spark.comparisons,
    "features.online": online.comparisons,
    "tune": tuning.comparisons,
    "explain": explain.comparisons,
    "http.mlflow": http.comparisons,
    "http.tutorial": http.comparisons,
    "http.careful": http.comparisons,
    "http.by_subject": http.by_subject,
    "batch": batch.comparisons,
    "admit": admit.comparisons,
    "audit.verify": audit.comparisons,
    "queue.million": queue.million,
    "console": console.comparisons,
    "raise.history": raising.history,
    "raise.large": raising.large,
}


def main() -> None:
    """Run the suites whose names fit, print as they come, write them all."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="", help="the beginning of a name")
    only = arguments.parse_args().only
    results, done = [], []
    for name, suite in SUITES.items():
        if suite in done or not (name.startswith(only) or only.startswith(name)):
            continue
        done.append(suite)
        for comparison in suite():
            if comparison.name.startswith(only):
                results.append(comparison.as_json())
                told = f"{comparison.name:<28} {comparison.ours:>9} {comparison.peer:>9}"
                print(f"{told}  x{comparison.ratio}")
    path = Path(__file__).parent / "results.json"
    path.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
