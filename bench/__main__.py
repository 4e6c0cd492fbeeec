"""`python -m bench [PART] [options]`.

Parts: check, capacity, recognition, intents, ledger, tools, pages; and, only when named: soak, bank, traffic, latency,
failover, noise, media, overload, fuzz, chromium.
"""

from __future__ import annotations

import subprocess
import sys

PARTS = {
    "check": "bench.check",
    "capacity": "bench.capacity",
    "recognition": "bench.recognition",
    "intents": "bench.intents",
    "ledger": "bench.ledger",
    "tools": "bench.tools",
    "pages": "bench.pages",
    "soak": "bench.soak",
    "bank": "bench.bank",
    "traffic": "bench.traffic",
    "latency": "bench.latency",
    "failover": "bench.failover",
    "noise": "bench.noise",
    "media": "bench.media",
    "overload": "bench.overload",
    "chromium": "bench.chromium",
    "fuzz": "bench.fuzz",
}
BY_DEFAULT = ("check", "capacity", "recognition", "intents", "ledger", "tools", "pages")


def main() -> int:
    """Run one part with its options, or several in turn; 0 if all went well."""
    named = sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else None
    if named and named not in PARTS:
        print(f"{__doc__}\n\nunknown part {named!r}", file=sys.stderr)
        return 2
    if named or "-h" in sys.argv or "--help" in sys.argv:
        if not named:
            print(__doc__)
            return 0
        return _run(named, sys.argv[2:])
    codes: list[int] = []
    for part in BY_DEFAULT:
        print(f"\n== {part} ==\n", flush=True)
        codes.append(_run(part, sys.argv[1:] if part == "capacity" else []))
    return max(codes)


def _run(part: str, options: list[str]) -> int:
    return subprocess.run([sys.executable, "-m", PARTS[part], *options], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
