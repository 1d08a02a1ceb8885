"""Cameras, files and bytes in, frames out."""
