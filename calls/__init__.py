"""The record of a call: rows and rules, no audio."""
