"""BigCommerce: orders v2, channels and catalogue v3. Read README.md first."""
