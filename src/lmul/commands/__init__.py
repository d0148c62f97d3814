"""The commands that do long work, a module each."""
