"""Layers that several packages of networks use."""
