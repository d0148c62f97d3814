"""What slang says of a file, beside Verilator: a lint with other eyes."""

from pathlib import Path

from pyslang.driver import Driver


def slang_is_silent(path: Path, top: str) -> bool:
    """Tell whether slang has no warning of any kind; it prints those that it has."""
    driver = Driver()
    driver.addStandardArgs()
    words = f'slang "{path}" --top {top} -Weverything -Werror'
    read = driver.parseCommandLine(words) and driver.processOptions() and driver.parseAllSources()
    return bool(read and driver.runFullCompilation(True))
