"""The command line as ``python -m visavis``, for shells in which ``visavis`` is not on the path."""

from visavis.cli import main

main()
