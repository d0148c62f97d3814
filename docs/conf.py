"""How Sphinx makes the documentation of Markdown, docstrings and the command line's own texts."""

from importlib import metadata

from sphinx.ext.autodoc.mock import _MockObject

project = "lmul"
copyright = "2026, the lmul authors"  # noqa: A001
release = metadata.version("lmul")

extensions = [
    "myst_parser",  # Markdown
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",  # numpydoc's sections
]
exclude_patterns = ["_build/html", "_build/doctrees"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"lmul {release}"
html_extra_path = ["../hdl/verilog/metadata.schema.json"]

# Headings can be linked to, as on GitHub.
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]

suppress_warnings = [
    "misc.highlighting_failure",
    "ref.python",  # types in docstrings that several modules have
    "myst.xref_missing",  # links to files of the repository, which tests/project/test_docs.py follows
]

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_mock_imports = ["torch", "transformers", "triton"]  # not among the requirements
# Annotations such as `Tensor | None` are read with what stands for a tensor.
_MockObject.__or__ = _MockObject.__ror__ = lambda self, other: self
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = False
napoleon_use_rtype = False
# Ports of Amaranth's components.
napoleon_custom_sections = [("Members", "params_style"), ("Yields", "returns_style")]
