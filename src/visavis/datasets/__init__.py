"""Folders and tables of labelled faces in, checked arrays out."""
