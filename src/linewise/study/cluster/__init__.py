"""Runs on many machines: tasks of a Ray cluster (extra `cluster`)."""
