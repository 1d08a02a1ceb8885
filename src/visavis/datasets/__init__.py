"""Readers of labelled faces and of conversations."""
