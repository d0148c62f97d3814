"""Plug-ins that are installed nowhere."""

from pathlib import Path

from tests.support.paths import EXAMPLES

EXAMPLE = EXAMPLES / "lmul-mitchell2"


def register(site: Path, name: str, entry: str, source: str) -> Path:
    """Write what an installed plug-in consists of: its module and its metadata."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[lmul.multipliers]\n{entry}\n")
    (site / f"{name}.py").write_text(source)
    return site
