"""Fuzzing of every parser by atheris (coverage-guided, libFuzzer)."""
