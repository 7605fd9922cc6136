"""docs/licences.md: what Trueup installs and under which licence, as the installed packages themselves declare it.

`python -m tests.licences` writes it; a test compares. `make pins` calls it after changing a pin.
"""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "docs" / "licences.md"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)( ;.*)?", re.MULTILINE)
HEAD = """# Licences

Trueup itself: Apache-2.0. What `requirements.txt` installs beside it, as each package declares; `make pins` writes this list.
psycopg is under the LGPL and is used unchanged as a library; without PostgreSQL it can be left out.
The fonts in `pages/static`, Inter and JetBrains Mono, are under the SIL Open Font License 1.1.

| Package | Version | Licence |
|---|---|---|
"""


def pins() -> dict[str, tuple[str, str]]:
    """Package -> (version, marker) of requirements.txt; the marker is empty for every platform."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return {name: (version, (marker or "").strip(" ;\\")) for name, version, marker in PIN.findall(text)}


def licence(package: str) -> str:
    """The SPDX expression, else the trove classifiers, else the first line of the field License."""
    declared = importlib.metadata.metadata(package)
    if declared.get("License-Expression"):
        return str(declared["License-Expression"])
    classified = [
        line.rpartition(" :: ")[2]
        for line in declared.get_all("Classifier") or ()
        if line.startswith("License ::")
    ]
    return " or ".join(sorted(classified)) or str(declared["License"]).partition("\n")[0].partition(" (")[0]


def table() -> str:
    """The whole file; a package for another platform than this one says so instead of a licence."""
    rows = []
    for package, (version, marker) in pins().items():
        try:
            said = licence(package)
        except importlib.metadata.PackageNotFoundError:
            said = f"installed only where `{marker}`"
        rows.append(f"| {package} | {version} | {said} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    LIST.write_text(table(), encoding="utf-8")
