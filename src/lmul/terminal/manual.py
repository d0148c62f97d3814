"""What `--help` says of each command beside its options: what it is for, and an example."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """The page of a command.

    Parameters
    ----------
    summary : str
        A few words for the list of commands.
    description : str
        What it does, writes and prints.
    examples : tuple of (str, str)
        Arguments, and what they do.
    """

    summary: str
    description: str
    examples: tuple[tuple[str, str], ...]

    @property
    def epilog(self) -> str:
        """The examples as the end of a page."""
        lines = [f"  lmul {arguments}\n      {text}" for arguments, text in self.examples]
        return "\n".join(["examples:", *lines])


PAGES = {
    "verilog": Page(
        "write the Verilog of a design and its metadata",
        "Write a design as Verilog without any dependence, and beside it a JSON file with its parameters, "
        "ports, latency and throughput, and a core file for FuseSoC. The same options give the same bytes.",
        (
            ("verilog dot --lanes 8 -o out", "writes out/lmul_e4m3_dot8.v, .json and .core"),
            ("verilog mul --mul addm --format bf16 -o -", "prints the Verilog"),
            ("verilog dot --stream -o out", "with AXI4-Stream ports, where results can wait"),
            ("verilog dot --reset async --reset-active low", "always @(posedge clk or negedge rst_n)"),
        ),
    ),
    "sim": Page(
        "simulate a design's Verilog against the golden model",
        "Simulate the Verilog of a design, or its mapped netlist, and compare every bit of every result "
        "with the golden model. The operands are tiles of a language model, all pairs of bit patterns for "
        "mul, a file's, or random. The exit status is 1 where hardware and model differ.",
        (
            ("sim array --rows 8 --cols 8", "on tiles of SmolLM2"),
            ("sim dot --operands OPERANDS.npz --waves", "on matrices of your own, with an FST file"),
            ("sim dot --operands OPERANDS.npz --codes", "on bit patterns: the bits are those of the file"),
            ("sim dot --acc h100 --vectors STEPS.npz", "on steps that GPUs gave, beside what they gave"),
            ("sim array --stress --seed 7", "pauses, resets and extremes from one seed"),
            ("sim mul --rtl UNIT.v --top unit --ports a=x,b=y,p=z", "somebody else's multiplier, all pairs"),
        ),
    ),
    "cost": Page(
        "area, delay and energy of a design",
        "Map designs to the cells of a library and measure area, critical delay and energy on operands, "
        "glitches included; or count gates, or place in an FPGA. Several multipliers stand side by side.",
        (
            ("cost mul --compare lmul,exact", "a multiplier beside the correctly rounded one"),
            ("cost dot --clock 1.0 --pipeline 2 --path", "for 1 GHz, with the critical path"),
            ("cost mul --estimate ecp5", "LUTs and clock in an FPGA"),
            ("cost mul --rtl UNIT.toml --compare lmul,exact", "somebody else's multiplier; docs/rtl.md"),
            ("cost --cache export netlists.zip", "all finished netlists, for --cache import elsewhere"),
        ),
    ),
    "error": Page(
        "accuracy of every multiplier",
        "Compare the products of all multipliers with the exact ones: over all pairs of mantissas of a "
        "format, over random operands, or over those of a file.",
        (
            ("error --format e5m2 --plot error.png", "tables, and a picture of the errors"),
            ("error --claims", "what was published, recomputed, with a verdict each"),
        ),
    ),
    "llm": Page(
        "accuracy of a language model under the arithmetic",
        "Compute the matrix products of SmolLM2-135M-Instruct, or of any model of transformers, as the "
        "golden model does, and say what that does to the text's perplexity and to answers; or with --energy "
        "what a token takes.",
        (
            ("llm --arithmetic lmul,e4m3,all", "every product by L-Mul in e4m3"),
            ("llm --model MODEL --arithmetic lmul,e4m3,row", "with a folder of transformers' form"),
            ("llm --energy", "products, SRAM and DRAM of a token"),
            ("llm --energy --memory-energy MEMORY.toml", "the same with another memory"),
            ("llm --energy --arithmetic exact,int8,row --arithmetic lmul,e4m3", "of integers beside L-Mul"),
        ),
    ),
    "continue": Page(
        "continue a prompt under a chosen arithmetic",
        "Let the language model continue a text, its matrix products computed by the golden model or, with "
        "--array, by a simulated array.",
        (('continue "The capital of France is" --tokens 8', "with every product by L-Mul in e4m3"),),
    ),
    "eval": Page(
        "any model of transformers under the arithmetic, by lm-evaluation-harness",
        "Run tasks of lm-evaluation-harness on a model in full precision and under each arithmetic, and "
        "compare sample by sample. A model in a narrow format is chaotic: each arithmetic is measured again "
        "with neighbours, whose operands differ by a few millionths, and the interval has their spread in "
        "it. It may be stopped at any time: the same command measures what is missing.",
        (
            ("eval smollm2 --limit 10", "what comes with the extra llm: no network needed"),
            ("eval FOLDER --arithmetic lmul,e4m3,row --arithmetic addm,e4m3,row", "a model of your own"),
            ("eval gpt2 --tasks paper --output out", "the paper's tasks on a model of a hub"),
        ),
    ),
    "explore": Page(
        "a sweep of designs to a Pareto front",
        "Measure the designs that a TOML file describes, on all processors or a Dask cluster, and show "
        "those that no other one beats. It may be stopped at any time: the same command measures what is "
        "missing.",
        (
            ("explore SPACE.toml --json front.json --plot front.png", "docs/explore.md describes the file"),
            ("explore SPACE.toml --scheduler tcp://HOST:8786", "on a Dask cluster"),
        ),
    ),
    "report": Page(
        "what L-Mul saves and costs, as one page",
        "Measure every multiplier and dot products with them, and write one page that needs no network: "
        "the answer in words, the paper's claims, charts and tables; JSON, CSV, SVG and PDF beside it.",
        (("report -o out", "writes out/index.html and the files of its figures"),),
    ),
    "compare": Page(
        "what changed between two reports, as Markdown",
        "Compare two files that explore or cost wrote with --json. "
        "The exit status is 1 if a figure is worse.",
        (("compare BEFORE.json AFTER.json --tolerance 1", "changes of more than 1 %"),),
    ),
    "list": Page(
        "what there is to choose from",
        "Print formats, multipliers (plug-ins among them), accumulators and designs.",
        (("list multipliers", "names for --mul, a line each"),),
    ),
    "doctor": Page(
        "what is installed, what is missing, and how to mend it",
        "Look for everything that lmul can use and write a small design. The exit status is 0 if Verilog "
        "can be written, whatever else is missing, and 1 otherwise.",
        (("doctor", "a table with the commands that install what is missing"),),
    ),
    "completion": Page(
        "print a script that lets a shell complete commands",
        "Print a script for a shell, which then completes commands, options and file names.",
        (
            ("completion bash >> ~/.bash_completion", "bash, from the next shell on"),
            ('completion zsh > "${fpath[1]}/_lmul"', "zsh"),
            ("completion fish > ~/.config/fish/completions/lmul.fish", "fish"),
        ),
    ),
}
