"""The claims of the papers as experiments: which runs, which numbers, which rule, which verdict.

One file an experiment. ``catalogue`` lists them, ``training`` trains what they need, in ordinary runs, and each judges
by rules that are pure functions of the measured numbers.
"""
