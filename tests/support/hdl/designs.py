"""Designs with every kind of block, for what all of them have to keep."""

from lmul.design import Design, make_design

DESIGNS = [
    *(make_design("mul", mul=mul) for mul in ("lmul", "exact")),
    *(make_design("dot", mul=mul, out=out) for mul in ("lmul", "exact") for out in ("fp32", "raw")),
    make_design("dot", lanes=1, depth=1),
    make_design("dot", lanes=3, mul="exact"),
    make_design("dot", pipeline=4),
    make_design("dot", out="raw", pipeline=4, carry="save", lanes=3),
    *(make_design("array", mul=mul) for mul in ("lmul", "exact")),
    make_design("array", rows=1, cols=1, lanes=1),
    make_design("array", rows=2, cols=5, lanes=3, out="raw", mul="exact"),
    make_design("array", rows=7, cols=1, lanes=2),
    make_design("array", rows=6, cols=6, lanes=1, share=2, carry="save", pipeline=1),
    make_design("array", dataflow="ws", rows=3, cols=6, lanes=2, share=2),
    make_design("array", dataflow="ws", rows=1, cols=1, lanes=1, out="raw"),
]

CHOICES = [
    *DESIGNS,
    make_design("dot", format="e5m2", mul="addc", acc="fixed:24:-6", subnormals="full"),
    make_design("dot", format="e5m2", mul="exact", acc="fixed:70:-40", out="bf16", lanes=3),
    make_design("dot", format="bf16", mul="exact", acc="fixed:14:-4", out="raw", lanes=2),
    make_design("dot", format_a="e4m3", format_b="e2m1", acc="fixed:9:3"),
    make_design("dot", acc="fp32", lanes=3),
    make_design("dot", format="e5m2", acc="fp16", lanes=3, pipeline=4),
    make_design("dot", format="e5m2", carry="save", lanes=2, pipeline=2),
    make_design("dot", acc="fixed:24:1", out="raw", pipeline=3),
    make_design("dot", format="e3m4", mul="exact", acc="bf16", subnormals="full", lanes=2),
    make_design("array", format="e5m2", mul="mitchell", acc="fp16", out="bf16", rows=2, cols=2, lanes=1),
    make_design("array", format="e3m2", mul="addc", rows=2, cols=3, lanes=2),
    make_design("dot", lanes=1, pipeline=4, reset_active="low"),
    make_design("dot", lanes=3, format="e3m2", acc="fixed:13:0", out="raw", stream=True),
    make_design("dot", lanes=2, acc="fused:13:13", pipeline=1, isolate=True),
    make_design(
        "dot", lanes=3, format="bf16", mul="exact", acc="fused:9:7:rne", subnormals="full", out="bf16"
    ),
    make_design("dot", lanes=2, format="e2m1", acc="fused:7:5:rne", pipeline=2, interleave=3, addend=True),
    make_design("mul", format_a="int8", format_b="int4", pipeline=4),
    make_design("dot", format="int8", lanes=3, pipeline=4, carry="save"),
    make_design("array", format="int4", rows=2, cols=1, lanes=2, dataflow="ws", acc="fixed:8:0", out="raw"),
    make_design("dot", lanes=2, format="e5m2", acc="fused:7:5:rne", scale="mx", pipeline=2, addend=True),
    make_design("dot", lanes=32, format="e2m1", acc="fused:9", scale="nvfp4", pipeline=1),
    make_design("dot", lanes=32, format="int4", acc="fixed:20:-6", scale="mx16", pipeline=4),
    make_design("array", rows=2, cols=1, lanes=1, reset="async", reset_active="low", clock_name="aclk"),
]


def name_of(design: Design) -> str:
    return f"{design.name}-{design.out}"
