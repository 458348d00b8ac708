"""Carrier codes as the marketplaces list them: exact, case included. "PUROLATOR" for "Purolator" counts as "Other" and costs the tracking rate.

The lists are in Seller Central, not in the API, and change. Those here are from memory, and only good for telling a near miss; the list
that counts is the setting `carriers`: with it, a code that is not in it is refused before it is sent.
"""

from typing import Any

OTHER = "Other"
COMMON = ("UPS", "FedEx", "DHL", "USPS", "DHL Express", "DHL eCommerce", "TNT", "GLS", "DPD", "Amazon Shipping", OTHER)
KNOWN = {
    "ATVPDKIKX0DER": ("OnTrac", "UPSMI", "LaserShip", "Pitney Bowes", "FedEx SmartPost", "Asendia"),
    "A2EUQ1WTGCTBG2": ("Canada Post", "Purolator", "Canpar", "Loomis", "UPSMI"),
    "A1F83G8C2ARO7P": ("Royal Mail", "Evri", "Yodel", "Parcelforce", "DX", "APC", "Tuffnells"),
    "A1PA6795UKMFR9": ("Deutsche Post", "Hermes", "DHL Paket"), "A13V1IB3VIYZZH": ("La Poste", "Colissimo", "Chronopost", "Mondial Relay"),
    "A1VC38T7YXB528": ("YAMATO", "SAGAWA", "Japan Post"), "A39IBJ37TRP1C6": ("Australia Post", "StarTrack", "Aramex"),
}
NO_OTHER = ("A21TJRUUN4KGV",)  # India takes no "Other" for what the merchant ships (selling-partner-api-docs#712)


def known(marketplace: str) -> tuple[str, ...]:
    """Codes that we know of."""
    return tuple(code for code in (*COMMON, *KNOWN.get(marketplace, ())) if not (code == OTHER and marketplace in NO_OTHER))


def fault(code: str, marketplace: str, listed: tuple[str, ...] = ()) -> str:
    """What is wrong with this carrier code in words, '' when nothing is known to be. `listed`: the account's own list, which decides."""
    if code == OTHER and marketplace in NO_OTHER and not listed:
        return f'provider: "{OTHER}" is not taken in {marketplace}'
    codes = listed or known(marketplace)
    if code in codes:
        return ""
    near = next((one for one in codes if _flat(one) == _flat(code)), "")
    if near:
        return f"provider: {code[:40]!r} is not spelled as the marketplace lists it; did you mean {near!r}?"
    return f"provider: {code[:40]!r} is not among the carriers of {marketplace} in the setting `carriers`" if listed else ""


def code_of(shown: dict[str, Any], listed: tuple[str, ...]) -> dict[str, Any]:
    """A parcel as it is shown, its carrier as we would have told it: a name that the marketplace does not list was told as "Other"."""
    return shown if not listed or shown["provider"] in listed or not shown["provider"] else {**shown, "provider": OTHER}


def _flat(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
