"""Name the files that do not end in exactly one newline."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Check the files named on the command line; return 1 if any has to be mended."""
    bad = [
        name
        for name in sys.argv[1:]
        if (text := Path(name).read_bytes())
        and (not text.endswith(b"\n") or text.endswith(b"\n\n"))
    ]
    for name in bad:
        sys.stderr.write(f"{name}: end the file with exactly one newline\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
