"""Measure how often a start-up fails: many boots in parallel, counted without bias, resumable at any byte."""
