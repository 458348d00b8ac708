"""The effect ledger: what was intended, what happened, and what a person must look at. Ours."""
