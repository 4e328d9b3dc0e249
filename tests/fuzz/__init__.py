"""Tests of the fuzz targets, and of what fuzzing has found."""
