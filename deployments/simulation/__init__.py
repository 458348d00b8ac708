"""Simulated worlds: the real flows, connectors and ledger; only network, files and clock are stood in for. One seed, one world."""
