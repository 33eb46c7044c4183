"""Moorage: one's own Amazon ECR."""

__version__ = "0.1.0"
