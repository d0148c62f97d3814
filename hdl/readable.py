"""Yosys's Verilog, rewritten as an engineer would: ANSI ports, and no wire for every operator.

Yosys writes one operator per statement, on wires that it numbers. Here a numbered wire is replaced
by its expression where Verilog's rules for the width of an expression allow it.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

_NAME = r"(?:\\\S+ |[A-Za-z_$][\w$]*)"
_OPERAND = rf"(?:\$signed\([^()]*\)|\{{[^{{}}]*\}}|\d+'\w+|{_NAME}(?:\[[\d:]+\])?)"
_UNARY = re.compile(rf"([~&|^!]) ?({_OPERAND})")
_BINARY = re.compile(rf"({_OPERAND}) (\S+) ({_OPERAND})")
_TERNARY = re.compile(rf"({_OPERAND}) \? ({_OPERAND}) : ({_OPERAND})")
_DECLARATION = re.compile(rf"  (input|output|wire|reg) (?:signed )?(?:\[(\d+):0\] )?({_NAME});")
_ASSIGN = re.compile(r"  assign (.+?) = (.+);")
_BRANCH = re.compile(r"    (?:(if|else if) \((.+?)\) |else )?(\S+|\\\S+ ) +<= (.+);")
_NUMBERED = re.compile(r"(?<![\w$])_\d+_(?![\w$])")

_BITWISE = ("&", "|", "^")
_MODULAR = ("+", "-", "*", "~")
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_LOGICAL = ("&&", "||")
_SHIFTS = ("<<", ">>", "<<<", ">>>")


@dataclass
class _Expression:
    """An operator and its operands, or an operand's text and bits."""

    operator: str
    operands: list["_Expression"]
    text: str = ""
    bits: int = 0

    @property
    def width(self) -> int:
        """The self-determined width (IEEE 1364-2005, 5.4.1)."""
        if not self.operator:
            return self.bits
        widths = [operand.width for operand in self.operands]
        if self.operator == "{}":
            return sum(widths)
        if self.operator in (*_COMPARISONS, *_LOGICAL) or self.is_reduction():
            return 1
        if self.operator in _SHIFTS:
            return widths[0]
        return max(widths[1:] if self.operator == "?" else widths)

    def is_reduction(self) -> bool:
        """Tell whether the operator makes one bit of one operand."""
        return len(self.operands) == 1 and self.operator not in ("~", "{}")

    def is_alone(self, index: int) -> bool:
        """Tell whether an operand's width is its own, whatever stands around it."""
        return (
            self.operator in ("{}", *_LOGICAL)
            or (self.operator == "?" and index == 0)
            or (self.operator in _SHIFTS and index == 1)
            or self.is_reduction()
        )

    def __str__(self) -> str:
        if not self.operator:
            return self.text
        if self.operator == "{}":
            return _concatenate([str(part) for part in self.operands])
        parts = [f"({part})" if part.operator not in ("", "{}", "~") else str(part) for part in self.operands]
        if len(parts) == 1:
            return self.operator + parts[0]
        if len(parts) == 3:
            return f"{parts[0]} ? {parts[1]} : {parts[2]}"
        return f"{parts[0]} {self.operator} {parts[1]}"

    def copy(self) -> "_Expression":
        """Give a tree of its own."""
        return _Expression(self.operator, [part.copy() for part in self.operands], self.text, self.bits)

    def leaves(self) -> list["_Expression"]:
        """Give the operands at the ends of the tree."""
        return [leaf for part in self.operands for leaf in part.leaves()] if self.operator else [self]


@dataclass
class _Assignment:
    """`target = value`, or one branch of a clocked process with its condition."""

    target: str
    value: _Expression
    keyword: str = ""
    condition: _Expression | None = None

    def expressions(self) -> list[_Expression]:
        """Give the expressions that this assignment evaluates."""
        return [self.value] if self.condition is None else [self.condition, self.value]


class _ModuleText:
    """One module as Yosys wrote it, parsed."""

    def __init__(self, text: str) -> None:
        lines = text.splitlines()
        self.widths: dict[str, int] = {}
        self.kinds: dict[str, set[str]] = {}
        self.assigns: list[_Assignment] = []
        self.processes: list[list[_Assignment]] = []
        self.events: list[str] = []
        self.instances: list[str] = []
        for line in lines:
            if match := _DECLARATION.fullmatch(line):
                self.widths[match[3]] = int(match[2] or 0) + 1
                self.kinds.setdefault(match[3], set()).add(match[1])
        for line in lines[1:]:
            if match := _ASSIGN.fullmatch(line):
                self.assigns.append(_Assignment(match[1], self._parse(match[2])))
            elif line.startswith("  always"):
                self.processes.append([])
                self.events.append(line.replace(", ", " or "))
            elif match := _BRANCH.fullmatch(line):
                condition = self._parse(match[2]) if match[2] else None
                branch = _Assignment(match[3].strip(), self._parse(match[4]), match[1] or "else", condition)
                self.processes[-1].append(branch)
            elif not _DECLARATION.fullmatch(line) and line.startswith("  "):
                self.instances.append(line)

    def _parse(self, text: str) -> _Expression:
        if match := _UNARY.fullmatch(text):
            operator, operand = match[1], self._leaf(match[2])
            if operator in _BITWISE and operand.operator == "{}":
                return self._join(operator, operand)
            return _Expression(operator, [operand])
        if match := _TERNARY.fullmatch(text):
            return _Expression("?", [self._leaf(match[index]) for index in (1, 2, 3)])
        if match := _BINARY.fullmatch(text):
            return _Expression(match[2], [self._leaf(match[1]), self._leaf(match[3])])
        return self._leaf(text)

    def _join(self, operator: str, concatenation: _Expression) -> _Expression:
        """Turn the reduction of a few single bits into operators between them."""
        parts = concatenation.operands[::-1]
        if len(parts) > 4 or any(part.width > 1 for part in parts):
            return _Expression(operator, [concatenation])
        joined = parts[0]
        for part in parts[1:]:
            joined = _Expression(operator, [joined, part])
        return joined

    def _leaf(self, text: str) -> _Expression:
        if text.startswith("{"):
            return _Expression("{}", [self._leaf(part) for part in _parts(text)])
        return _Expression("", [], _compact(text), self.width(text))

    def width(self, text: str) -> int:
        """Give the width of an operand."""
        if text.startswith("$signed("):
            return self.width(text[len("$signed(") : -1])
        if text.startswith("{"):
            return sum(self.width(part) for part in _parts(text))
        if match := re.match(r"(\d+)'", text):
            return int(match[1])
        if match := re.search(r"\[(\d+)(?::(\d+))?\]$", text):
            return int(match[1]) - int(match[2] or match[1]) + 1
        return self.widths[text]

    def statements(self) -> list[_Assignment]:
        """Give every assignment, combinational and clocked."""
        return self.assigns + [branch for process in self.processes for branch in process]


def readable(verilog: str, ports: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Rewrite a file that `write_verilog -noattr` made.

    Parameters
    ----------
    verilog : str
    ports : mapping of str to sequence of str
        For each module, its ports in the order wanted.

    Returns
    -------
    dict of str to str
        The text of each module by its name.
    """
    modules = {}
    for match in re.finditer(r"^module (\S+?)\(.*?^endmodule$", verilog, re.DOTALL | re.MULTILINE):
        module = _ModuleText(match[0])
        _inline(module)
        modules[match[1]] = _write(match[1], module, ports[match[1]])
    return modules


class _Readers:
    """The statements that read each numbered wire, and how often it is read."""

    def __init__(self, module: _ModuleText) -> None:
        self._counts = Counter(_NUMBERED.findall("\n".join(module.instances + _target_texts(module))))
        self._statements: dict[str, dict[int, _Assignment]] = {}
        for statement in module.statements():
            self.add(statement)

    def add(self, statement: _Assignment) -> None:
        """Count what a statement reads."""
        for name in _numbered_names(statement):
            self._counts[name] += 1
            self._statements.setdefault(name, {})[id(statement)] = statement

    def remove(self, statement: _Assignment) -> None:
        """Count it no more."""
        for name in _numbered_names(statement):
            self._counts[name] -= 1
            self._statements[name].pop(id(statement), None)

    def count(self, name: str) -> int:
        """Give how often a wire is read."""
        return self._counts[name]

    def of(self, name: str) -> list[_Assignment]:
        """Give the statements that read a wire."""
        return list(self._statements.get(name, {}).values())


def _numbered_names(statement: _Assignment) -> list[str]:
    leaves = [leaf.text for expression in statement.expressions() for leaf in expression.leaves()]
    return _NUMBERED.findall("\n".join(leaves))


def _inline(module: _ModuleText) -> None:
    """Replace numbered wires that have one reader, and inversions, by their expressions."""
    readers = _Readers(module)
    numbered = [assign for assign in module.assigns if _NUMBERED.fullmatch(assign.target)]
    gone: set[str] = set()
    replaced = True
    while replaced:
        replaced = False
        for assign in (assign for assign in numbered if assign.target not in gone):
            inversion = assign.value.operator == "~" and not assign.value.operands[0].operator
            if not (readers.count(assign.target) == 1 or inversion):
                continue
            for statement in readers.of(assign.target):
                readers.remove(statement)
                replaced |= _substitute(module, statement, assign)
                readers.add(statement)
            if not readers.count(assign.target):
                readers.remove(assign)
                gone.add(assign.target)
                del module.widths[assign.target]
    module.assigns = [assign for assign in module.assigns if assign.target not in gone]


def _target_texts(module: _ModuleText) -> list[str]:
    return [assign.target for assign in module.assigns if assign.target.startswith("{")]


def _substitute(module: _ModuleText, statement: _Assignment, source: _Assignment) -> bool:
    """Put the source's expression where the statement reads its wire, if that changes no width."""
    too_wide = source.value.width > module.widths[source.target]
    if too_wide or "$signed" in str(source.value) or statement is source:
        return False
    replaced = False
    if statement.condition is not None:
        condition = statement.condition
        statement.condition, replaced = _replace(condition, source, condition.width, imposed=False)
    target = module.width(statement.target)
    context = max(target, statement.value.width)
    statement.value, changed = _replace(statement.value, source, context, imposed=context == target)
    return replaced or changed


def _replace(
    expression: _Expression, source: _Assignment, context: int, *, imposed: bool
) -> tuple[_Expression, bool]:
    """Replace in an expression that is evaluated at the context's width.

    Unless something else imposes that width, an expression narrower than its wire would lose its carry.
    """
    if not expression.operator:
        fits = expression.text == source.target and expression.width == context
        if fits and (imposed or source.value.width == context):
            return source.value.copy(), True  # Each reader widens its own.
        return expression, False
    changed = False
    for index, operand in enumerate(expression.operands):
        operand_context, operand_imposed = _operand_context(expression, index, context), imposed
        if expression.operator in _COMPARISONS:
            operand_imposed = expression.operands[1 - index].width == operand_context
        elif expression.is_alone(index):
            operand_imposed = False
        expression.operands[index], one = _replace(operand, source, operand_context, imposed=operand_imposed)
        changed |= one
    return expression, changed


def _operand_context(expression: _Expression, index: int, context: int) -> int:
    """Give the width at which an operand is evaluated (IEEE 1364-2005, 5.4.1)."""
    if expression.operator in _COMPARISONS:
        return max(operand.width for operand in expression.operands)
    return expression.operands[index].width if expression.is_alone(index) else context


def _widen(module: _ModuleText, statement: _Assignment) -> None:
    """Write out the bits by which Verilog would extend operands, so that no width is implied."""
    if statement.condition is not None:
        _widen_to(module, statement.condition, statement.condition.width)
    _widen_to(module, statement.value, module.width(statement.target))


def _widen_to(module: _ModuleText, expression: _Expression, context: int) -> None:
    width = max(context, expression.width)
    missing = width - expression.width
    if expression.operator == "{}" and missing:
        expression.operands.insert(0, _Expression("", [], f"{missing}'h0", missing))
    elif expression.operator:
        for index, operand in enumerate(expression.operands):
            wide = _operand_context(expression, index, width)
            # Signed operands of the other operators mean more than their extension.
            if expression.operator in (*_BITWISE, *_MODULAR) or not operand.text.startswith("$signed"):
                _widen_to(module, operand, wide)
    elif expression.text.startswith("$signed("):
        expression.text = _sign_extended(module, expression.text[len("$signed(") : -1], missing)
    elif missing and (match := re.fullmatch(r"\d+'([a-z]\w+)", expression.text)):
        expression.text = f"{context}'{match[1]}"
    elif missing:
        expression.text = f"{{{missing}'h0, {expression.text}}}"


def _sign_extended(module: _ModuleText, text: str, missing: int) -> str:
    if not missing:
        return text
    parts = _parts(text) if text.startswith("{") else [text]
    if literal := re.fullmatch(r"(\d+)'h(\w+)", parts[0]):
        negative = int(literal[2], 16) >> (int(literal[1]) - 1)
        return _concatenate([f"{missing}'h{((1 << missing) - 1) * negative:x}", *parts])
    name, _, index = parts[0].rstrip("]").partition("[")
    top = int(index.split(":")[0]) if index else module.width(name) - 1
    sign = f"{name}[{top}]" if module.width(name) > 1 else name
    return _concatenate([sign] * missing + parts)


def _write(name: str, module: _ModuleText, ports: Sequence[str]) -> str:
    registers = {process[0].target for process in module.processes}
    lines = []
    for port in ports:
        direction = "input " if "input" in module.kinds[port] else "output"
        kind = "reg " if port in registers else "wire"
        lines.append(f"  {direction} {kind} {_range(module.widths[port])}{port}")
    text = [f"module {name} (", ",\n".join(lines), ");"]
    for net, width in module.widths.items():
        if net not in ports:
            text.append(f"  {'reg ' if net in registers else 'wire'} {_range(width)}{net};")
    text.append("")
    for statement in module.statements():
        _widen(module, statement)
    text += [f"  assign {assign.target} = {assign.value};" for assign in module.assigns]
    for events, process in zip(module.events, module.processes, strict=True):
        text += ["", events, *_branches(process)]
    if module.instances:
        text += ["", *(_compact(line) for line in module.instances)]
    return "\n".join([*text, "endmodule"])


def _branches(process: list[_Assignment]) -> list[str]:
    lines = []
    for branch in process:
        keyword = f"{branch.keyword} ({branch.condition}) " if branch.condition else ""
        if branch.condition is None and len(process) > 1:
            keyword = "else "
        lines.append(f"    {keyword}{branch.target} <= {branch.value};")
    return lines


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""


def _parts(concatenation: str) -> list[str]:
    return [part.strip() for part in concatenation.strip("{} ").split(",")]


def _compact(text: str) -> str:
    """Write the concatenations in a line short."""
    return re.sub(r"\{ ([^{}]*) \}", lambda match: _concatenate(match[1].split(", ")), _short_zeros(text))


def _short_zeros(text: str) -> str:
    return re.sub(r"'h0+\b", "'h0", text)


def _concatenate(parts: list[str]) -> str:
    """Write a concatenation, its repeated parts once."""
    runs = [(part, len(list(run))) for part, run in groupby(parts)]
    texts = [part if count == 1 else f"{{{count}{{{part}}}}}" for part, count in runs]
    return texts[0] if len(runs) == 1 and runs[0][1] > 1 else "{" + ", ".join(texts) + "}"
