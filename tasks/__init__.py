"""Verbs: the steps of the flows. Each module has plain functions that take a `House`, and thin Prefect tasks that take names."""
