"""Amazon Seller Central: a storefront and marketplace, by the Selling Partner API. See README.md."""
