"""Fuzzing: inputs that nobody would think of, and what must hold all the same.

A target is a module of :mod:`fuzz.targets`. Its first lines are its contract, and its code holds the code to it. Two
engines drive the targets: atheris, which learns from the lines that an input reaches (:mod:`fuzz.campaign`), and a
fixed series of inputs without any engine, by which the reach is measured (:mod:`fuzz.reach`).
"""
