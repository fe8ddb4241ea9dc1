"""Evidence that stays honest however often one looks at it: increments and mixtures.

Pure functions over numpy arrays.  What they promise: a claim is wrong with probability at most
alpha over the whole run, whenever one looks and however the weights move (reference/decision.md).
"""
