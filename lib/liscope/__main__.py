"""Allows ``python -m liscope``."""

from liscope.workflow.cli import main

if __name__ == "__main__":
    main()
