"""Augmentation and mixing of face pictures."""
