"""The parameters of each workflow: one model a notebook, of the notebook's name."""
