"""The timing figures of docs/hardware.md: WaveDrom sources in docs/timing to docs/images/timing_*.svg.

`python docs/timing.py` draws them anew. `tests/project/test_docs.py` drives the hardware with the inputs of
each figure and compares its outputs.
"""

from pathlib import Path

import wavedrom

SOURCES = Path(__file__).parent / "timing"

IMAGES = Path(__file__).parent / "images"


def draw(source: Path) -> str:
    """Give a figure as SVG."""
    text: str = wavedrom.render(source.read_text(encoding="utf-8")).tostring()
    return f"{text}\n"


if __name__ == "__main__":
    for source in sorted(SOURCES.glob("*.json")):
        (IMAGES / f"timing_{source.stem}.svg").write_text(draw(source), encoding="utf-8")
