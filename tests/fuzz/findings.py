"""What the fuzzing found, each as the document that showed it: the incident in a sentence, the door, the bytes."""

import json

from tests.fuzz.partner import payloads

BEYOND = next(one for one in map(json.loads, payloads()) if "order_total_minor" in one["payload"])
BEYOND["payload"]["order_total_minor"] = 10**30

FINDINGS: dict[str, tuple[str, bytes]] = {
    "a header with an accent in upper case was looked up in lower case, not found again, and answered with an error 500": (
        "webhooks door", b"content-type: application/json\nwebhook-\xc3\x9f: 1\n\n{}"),
    "a mapping table with half of an emoji ended the run with an error of the table library": (
        "mapping table kits", b"connection,sku,component,quantity\nshop-uk,GIFT\xed\xa0\xbdT,HEART,1\n"),
    "an answer that gave no id was taken for the proof that the order was changed": (
        "_template send fulfilment_change: PUT /v#/orders/BCUK-#-#", b'{"id": "", "reference": "BCUK-700-1", "revision": 2, "state": "open"}'),
    "an order dated on the last day that a calendar has, in a zone, ended every run that read it, and with it every order behind it": (
        "bigcommerce order: GET /stores/rehearsal/v#/orders/#", b'{"id": 101, "status_id": 11, "date_created": "9999-12-31T23:59:59-23:59", "date_modified": "0001-01-01T00:00:00+23:59"}'),
    "a packed report of which not one byte came was taken for an empty one": ("packed document", b""),
    "a quote that is never closed, before a megabyte of text, ended the form for a return with an error of the CSV library": (
        "lines of a return", b'sku,quantity\n"' + b"x" * 200_000),
    "the same in a report of returns ended every run that read it": ("report of returns", b"Order ID\t" + b"x" * 200_000 + b"\n"),
    "a list of payments whose account of its pages was no object ended the run that read it": (
        "bigcommerce payments: GET /stores/rehearsal/v#/orders/#/transactions", b'{"data": [], "meta": true}'),
    "a number of ten bytes kept whoever made a whole number of it busy for hours": (
        "bigcommerce channels: GET /stores/rehearsal/v#/channels", b'{"data": [], "meta": {"pagination": {"total_pages": 1e99999999}}}'),
    "a shipment whose id was a list ended the run that read it": (
        "bigcommerce shown_dispatches: GET /stores/rehearsal/v#/orders/#/shipments", b'[{"id": [null], "order_id": 101}]'),
    "a total beyond anything the books hold ended the writing of the request with an error of the decimal library": (
        "gxo documents of ours", json.dumps(BEYOND).encode()),
}
