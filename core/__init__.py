"""What every room may use."""

VERSION = "0.1.0"
