"""visavis: watches a person, understands the face, and answers with one."""

from __future__ import annotations

__version__ = "0.1.0"
