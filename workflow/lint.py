"""Runs ``snakemake --lint`` and prints what it finds, but for the exceptions explained here; exits 1 if anything is left."""

import json
import subprocess
import sys

EXCEPTIONS = {
    "Specify a conda environment or container for each rule.": "all rules share the project's one locked environment",
}


def main() -> int:
    command = [sys.executable, "-m", "snakemake", "--lint", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    start = done.stdout.find("{")
    if start < 0:
        sys.stderr.write(done.stdout + done.stderr)
        return done.returncode
    found = json.loads(done.stdout[start:])
    places = [(f"rule {entry['for']}", lint) for entry in found["rules"] for lint in entry["lints"]]
    places += [(entry["for"], lint) for entry in found["snakefiles"] for lint in entry["lints"]]
    left = [(place, lint) for place, lint in places if lint["title"] not in EXCEPTIONS]
    for place, lint in left:
        print(f"{place}: {lint['title']} {lint['body']}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
