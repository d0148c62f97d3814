"""Sweeps over designs: what there is to choose from, evaluations on many processes, the Pareto front.

`space` reads what is to be swept, `search` chooses what is evaluated next (`guided` with Optuna), `evaluate`
is one evaluation, `store` keeps its result, and `sweep` joins them. Evaluations run on `lmul.host.processes`
or on a `cluster`. `pareto`, `report`, `table` and `plot` make of the results what is shown;
`compare` and `markdown` say what changed between two reports.
"""
