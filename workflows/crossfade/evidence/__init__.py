"""Evidence that stays honest however often one looks at it: increments and mixtures.

Pure functions over numpy arrays.  What they promise: a claim is wrong with probability at most
alpha over the whole run, whenever one looks and however the weights move.  F1 to F12, wherever a
module names them, are the formulas that docs/policies.md lists.
"""
