"""Amazon's marketplaces: id -> country, currency, region, and the region's address. Facts of Amazon's public list."""

from dataclasses import dataclass

ENDPOINTS = {"na": "https://sellingpartnerapi-na.amazon.com", "eu": "https://sellingpartnerapi-eu.amazon.com", "fe": "https://sellingpartnerapi-fe.amazon.com"}


@dataclass(frozen=True)
class Marketplace:
    """One of Amazon's shops."""

    country: str
    currency: str
    region: str
    name: str


MARKETPLACES = {
    "A2EUQ1WTGCTBG2": Marketplace("CA", "CAD", "na", "Amazon.ca"), "ATVPDKIKX0DER": Marketplace("US", "USD", "na", "Amazon.com"),
    "A1AM78C64UM0Y8": Marketplace("MX", "MXN", "na", "Amazon.com.mx"), "A2Q3Y263D00KWC": Marketplace("BR", "BRL", "na", "Amazon.com.br"),
    "A28R8C7NBKEWEA": Marketplace("IE", "EUR", "eu", "Amazon.ie"), "A1RKKUPIHCS9HS": Marketplace("ES", "EUR", "eu", "Amazon.es"),
    "A1F83G8C2ARO7P": Marketplace("GB", "GBP", "eu", "Amazon.co.uk"), "A13V1IB3VIYZZH": Marketplace("FR", "EUR", "eu", "Amazon.fr"),
    "AMEN7PMS3EDWL": Marketplace("BE", "EUR", "eu", "Amazon.com.be"), "A1805IZSGTT6HS": Marketplace("NL", "EUR", "eu", "Amazon.nl"),
    "A1PA6795UKMFR9": Marketplace("DE", "EUR", "eu", "Amazon.de"), "APJ6JRA9NG5V4": Marketplace("IT", "EUR", "eu", "Amazon.it"),
    "A2NODRKZP88ZB9": Marketplace("SE", "SEK", "eu", "Amazon.se"), "AE08WJ6YKNBMC": Marketplace("ZA", "ZAR", "eu", "Amazon.co.za"),
    "A1C3SOZRARQ6R3": Marketplace("PL", "PLN", "eu", "Amazon.pl"), "ARBP9OOSHTCHU": Marketplace("EG", "EGP", "eu", "Amazon.eg"),
    "A33AVAJ2PDY3EV": Marketplace("TR", "TRY", "eu", "Amazon.com.tr"), "A17E79C6D8DWNP": Marketplace("SA", "SAR", "eu", "Amazon.sa"),
    "A2VIGQ35RCS4UG": Marketplace("AE", "AED", "eu", "Amazon.ae"), "A21TJRUUN4KGV": Marketplace("IN", "INR", "eu", "Amazon.in"),
    "A19VAU5U5O7RUS": Marketplace("SG", "SGD", "fe", "Amazon.sg"), "A39IBJ37TRP1C6": Marketplace("AU", "AUD", "fe", "Amazon.com.au"),
    "A1VC38T7YXB528": Marketplace("JP", "JPY", "fe", "Amazon.co.jp"),
}
