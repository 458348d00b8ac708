"""The business rules: frames and dicts in, frames and dicts out. No network, no database, no clock, no dice."""
