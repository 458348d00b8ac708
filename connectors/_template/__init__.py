"""Quayside: an imaginary warehouse with a REST API that really works. Copy this folder to add a system (see README.md)."""
