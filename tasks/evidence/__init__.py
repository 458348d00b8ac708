"""The evidence about one order for a claim (SAFE-T, chargeback, a lost parcel): what was asked, what left, and what the storefront was told. No personal data."""
