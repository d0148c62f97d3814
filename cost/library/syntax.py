"""The syntax of Liberty: attributes and groups, each with its place in the text.

Read statement by statement with one regular expression. Its repetitions are atomic, so that a file takes time
in proportion to its length whatever is wrong with it. (Possessive groups, which say the same, fail before
Python 3.11.5.) Nothing recurses, so that any depth will do.
"""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NoReturn

from lmul.errors import printable

_COMMENT = r"(?:/\*[^*]*+(?>(?:\*(?!/)[^*]*+)*)\*/|//[^\n]*+)"
# A backslash outside a string only continues a line.
_GAP = rf"(?>(?:[\s\\]++|{_COMMENT})*)"
_STRING = r'"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"'
_SLASH = r"/(?![*/])"
_NAME = r"[A-Za-z_][\w.]*+"
_BARE = rf'(?:[^\s;"{{}}\\/]|{_SLASH})(?>(?:[^\n;"{{}}\\/]++|{_SLASH})*)'
_ARGUMENTS = rf'(?>(?:[^()"/;{{}}]++|{_STRING}|{_COMMENT}|{_SLASH})*)'
_STATEMENT = re.compile(
    rf"{_GAP}(?:(?P<end>\}})|(?P<stop>;)|(?P<name>{_NAME}){_GAP}(?:"
    rf":{_GAP}(?P<value>{_STRING}|{_BARE})|\((?P<arguments>{_ARGUMENTS})\)(?>(?:{_GAP}(?P<open>\{{))?)"
    r")(?>(?:[ \t]*+;)?))",
    re.DOTALL,
)
_BRACE = re.compile(rf'(?>(?:[^{{}}"/]++|{_STRING}|{_COMMENT}|{_SLASH})*)([{{}}])', re.DOTALL)
_QUOTED = re.compile(rf'{_COMMENT}|(?P<string>{_STRING})|"|/\*', re.DOTALL)
_HEAD = re.compile(rf"{_GAP}(?>(?P<name>{_NAME})?){_GAP}", re.DOTALL)
_CONTINUATION = re.compile(r"\\\s*")
_WORD = re.compile(r'[^\s,"\\]+')
_OPEN = {'"': "string", "/*": "comment"}
_LEVELS = {"library": 0, "cell": 1}
_NO_CHILDREN: dict[str, list["Node"]] = {}
_SNIPPET = 40

LARGEST = 1e12
"""Largest number that is taken, in any unit: nothing that is computed from it overflows."""


class LibertyError(Exception):
    """What is wrong with a file, and where.

    Parameters
    ----------
    offset : int
        Place in the text.
    reason : str
        One line for people.
    """

    def __init__(self, offset: int, reason: str):
        super().__init__(reason)
        self.offset = offset
        self.reason = reason

    def place(self, text: str) -> str:
        """Give the line of the text and what is wrong there."""
        line = text.count("\n", 0, self.offset) + 1
        return f"line {line}: {self.reason}"


@dataclass(slots=True)
class Node:
    """An attribute or a group.

    Parameters
    ----------
    name : str
        Name of the attribute or kind of the group.
    text : str
        The value, or what is between the parentheses, as it stands in the file.
    offset : int
        Where `text` begins.
    children : dict of str to list of Node
        What a group holds, by name, in the order of the file.
    """

    name: str
    text: str
    offset: int
    children: dict[str, list["Node"]]

    @property
    def title(self) -> str:
        """The group as a person would name it, on one line."""
        return f"{self.name}({shortened(self.bare)})"

    @property
    def bare(self) -> str:
        """The value without quotes and continuations of lines."""
        text = self.text.strip()
        if text.startswith('"') and text.endswith('"'):
            text = text[1:-1].strip()
        return _CONTINUATION.sub(" ", text) if "\\" in text else text

    @property
    def words(self) -> list[str]:
        """Names between the parentheses, quoted or not."""
        return _WORD.findall(self._uncommented)

    @property
    def numbers(self) -> list[float]:
        """Numbers between the parentheses, quoted or not."""
        words = self._uncommented.replace('"', " ").replace(",", " ").replace("\\", " ").split()
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            self._refuse_word()
        if not all(abs(number) <= LARGEST for number in numbers):
            self._refuse_word()
        return numbers

    @property
    def _uncommented(self) -> str:
        if "/" not in self.text:
            return self.text
        return re.sub(_COMMENT, lambda comment: " " * len(comment[0]), self.text)

    def _refuse_word(self) -> NoReturn:
        for match in _WORD.finditer(self._uncommented):
            if not _is_number(match[0]):
                reason = f"{shortened(match[0])!r} in {self.name} is not a number"
                raise LibertyError(self.offset + match.start(), reason)
        raise LibertyError(
            self.offset, f"the numbers in {self.name} are too large: {LARGEST:g} is the largest"
        )

    def all(self, name: str) -> list["Node"]:
        """Give the children of a name."""
        return self.children.get(name, [])

    def first(self, name: str) -> "Node | None":
        """Give the first child of a name."""
        nodes = self.children.get(name)
        return nodes[0] if nodes else None

    def value(self, name: str, default: str = "") -> str:
        """Give the value of an attribute, the default where there is none."""
        node = self.first(name)
        return default if node is None else node.bare

    def flag(self, name: str) -> bool:
        """Tell whether an attribute is true."""
        return self.value(name).lower() == "true"

    def number(self, name: str, default: float | None = None) -> float:
        """Give the value of an attribute as a number; without a default it must be there."""
        node = self.first(name)
        if node is None:
            if default is None:
                raise LibertyError(self.offset, f"{self.title} has no {name}")
            return default
        if not _is_number(node.bare):
            raise LibertyError(node.offset, f"{name} is {shortened(node.bare)!r}, not a number")
        if abs(number := float(node.bare)) > LARGEST:
            raise LibertyError(node.offset, f"{name} is {shortened(node.bare)}: {LARGEST:g} is the largest")
        return number


def shortened(text: str) -> str:
    """Cut a text that people need not see whole, and put it on one printable line."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= _SNIPPET else f"{line[:_SNIPPET]}..."


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def parse_library(text: str, wanted: Collection[str]) -> Node:
    """Read the library group of a Liberty file.

    Parameters
    ----------
    text : str
        The file.
    wanted : collection of str
        Kinds of groups to read. All others are passed over, by their braces alone.

    Returns
    -------
    Node
        The library group.

    Raises
    ------
    LibertyError
        If the text is not Liberty, or is not one library.
    """
    root = Node("", "", 0, {})
    groups = [root]
    start = position = 0
    while match := _STATEMENT.match(text, position):
        start, position = position, match.end()
        kind = match.lastgroup
        if kind == "stop":
            continue
        if kind == "end":
            _close(groups, match.start("end"))
            continue
        name, content = match["name"], "value" if kind == "value" else "arguments"
        children = {} if kind == "open" else _NO_CHILDREN
        node = Node(name, match[content], match.start(content), children)
        if kind == "open" and name not in wanted:
            position = _group_end(text, position, node)
            continue
        groups[-1].children.setdefault(name, []).append(node)
        if kind == "open":
            _check_level(groups, node)
            groups.append(node)
    _check_end(text, start, position, groups)
    return _only_library(root)


def _close(groups: list[Node], offset: int) -> None:
    if len(groups) == 1:
        raise LibertyError(offset, "this brace closes no group")
    groups.pop()


def _check_level(groups: list[Node], node: Node) -> None:
    """Find a group that is not closed by what can only come after it."""
    level = _LEVELS.get(node.name, len(groups) - 1)
    if len(groups) - 1 > level:
        raise LibertyError(groups[-1].offset, f"{groups[-1].title} is not closed before {node.title}")
    if len(groups) - 1 < level:
        raise LibertyError(node.offset, f"{node.title} is not inside a library")


def _group_end(text: str, position: int, node: Node) -> int:
    depth = 1
    while depth:
        match = _BRACE.match(text, position)
        if match is None:
            _refuse_open_quote(text, position)
            raise LibertyError(node.offset, f"{node.title} is not closed")
        position = match.end()
        depth += 1 if match[1] == "{" else -1
    return position


def _check_end(text: str, start: int, position: int, groups: list[Node]) -> None:
    """Check that nothing is left at `position`, behind the statement that began at `start`."""
    head = _HEAD.match(text, position)
    name = head["name"] if head else None
    end = head.end() if head else position
    if end < len(text) or name:
        _refuse_open_quote(text, start)
    if name:
        raise LibertyError(end, _lack(name, text[end : end + 1]))
    if end < len(text):
        raise LibertyError(end, f"{shortened(text[end : end + _SNIPPET])!r} is neither attribute nor group")
    if len(groups) > 1:
        raise LibertyError(groups[-1].offset, f"{groups[-1].title} is not closed")


def _lack(name: str, following: str) -> str:
    if following == ":":
        return f"{name} has no value"
    if following == "(":
        return f"what is in the parentheses of {name} cannot be read"
    return f"{shortened(name)} is followed by neither a colon nor a parenthesis"


def _refuse_open_quote(text: str, start: int) -> None:
    """Find a string or a comment that is not closed: it has no end, or ends where the next one begins."""
    for match in _QUOTED.finditer(text, start):
        if match[0] in _OPEN:
            raise LibertyError(match.start(), f"a {_OPEN[match[0]]} is not closed")
        following = text[match.end() : match.end() + 1]
        if match["string"] and "\n" in match[0] and following and following not in " \t\r\n,;)}\\/":
            raise LibertyError(match.start(), "a string is not closed")


def _only_library(root: Node) -> Node:
    libraries = root.all("library")
    strays = [node for name in root.children if name != "library" for node in root.all(name)]
    for node in [*strays, *libraries[1:]]:
        raise LibertyError(node.offset, f"{node.title} is not inside the library")
    if not libraries:
        raise LibertyError(0, "it holds no library")
    return libraries[0]
