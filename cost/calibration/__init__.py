"""Circuits of published energies, built and measured here."""
