"""A house with a busy desk: eleven types open, most of them made by what really happens, the rest as other flows would open them."""

from datetime import timedelta
from pathlib import Path

from connectors.kit.clock import SystemClock
from contracts.exceptions import Finding
from deployments.demo_world import FORGOTTEN_METHOD, STOREFRONT, WAREHOUSE
from tests.journeys.rig import ADA, Rig, some_items

COURIER = {**ADA, "shipping_method": FORGOTTEN_METHOD}
BRAZIL = {**ADA, "country": "Brazil", "country_iso2": "BR"}
HOURS_AGO = timedelta(hours=3)


def busy_house(home: Path) -> tuple[Rig, dict[str, int]]:
    """The rig, its doings three hours ago, and the orders by what is wrong with them."""
    rig = Rig(home, kinds={"other carrier": 1}, items=some_items("LAMP"))
    rig.clock.at = SystemClock().now() - HOURS_AGO
    rig.site._skus.discard("LAMP")  # its item master has it, its stock system does not
    order = {"no carrier": rig.orders(("HEART", 2)), "no carrier either": rig.orders(("MUG", 1)), "refused": rig.orders(("LAMP", 1)),
             "no method": rig.orders(("TRAY", 1), to=[COURIER]), "no article": rig.orders(("HEART-OLD", 1)), "no route": rig.orders(("MUG", 2), to=[BRAZIL]),
             "no street": rig.orders(("MUG", 1), to=[{**ADA, "street_1": ""}])}
    rig.drains(60)
    rig.site._other_carrier = "ZZZZ"
    order["strange carrier"] = rig.orders(("TRAY", 1))
    rig.drains()
    order["in doubt"] = rig.orders(("LANTERN", 1))
    rig.reads_orders()
    block(rig, order["in doubt"])
    opens(rig, Finding("cancel_refused", STOREFRONT, str(order["no carrier"]), "cancel_refused:UK1", {"why": "it was shipped after the cancel was sent"}),
          Finding("over_shipped", STOREFRONT, str(order["no carrier either"]), "over_shipped:UK2:1", {"ordered": 1, "shipped": 2}),
          Finding("document_malformed", WAREHOUSE, "945_0042.edi", "document_malformed:945_0042.edi", {"why": "SE01 says 12 segments, there are 11"}),
          Finding("refund_declined", STOREFRONT, str(order["no carrier"]), "refund_declined:refund/1", {"said": "the provider declined"}))
    return rig, order


def block(rig: Rig, order: int) -> None:
    """Nobody can tell whether the warehouse has this order."""
    (effect_id,) = rig.ledger.effects.due(WAREHOUSE, ("fulfilment_request",))
    with rig.ledger.transaction() as tx:
        rig.ledger.effects.block(tx, rig.ledger.effects.claim(tx, effect_id, "a worker"), "nobody can tell")
    opens(rig, Finding("blocked_effect", STOREFRONT, str(order), f"blocked_effect:{effect_id}", {"effect": effect_id, "target": WAREHOUSE}))


def opens(rig: Rig, *findings: Finding) -> None:
    """As a flow would."""
    with rig.ledger.transaction() as tx:
        rig.ledger.exceptions.open(tx, findings)
