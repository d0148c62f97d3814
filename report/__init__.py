"""The report: what L-Mul saves and what it costs, as one page, with the figures behind it for programs."""
