"""Folders and tables of labelled faces and of conversations in, checked arrays out."""
