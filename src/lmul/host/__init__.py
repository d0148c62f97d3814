"""The machine: files, processes, results that are kept."""
