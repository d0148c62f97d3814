"""Models of transformers under arithmetics, by lm-evaluation-harness. Needs the extra `eval`."""
