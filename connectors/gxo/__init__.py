"""GXO as a trading partner: X12 4010 documents and CSV advice files over a file transport. No GXO API is claimed."""
