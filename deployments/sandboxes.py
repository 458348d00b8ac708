"""One HTTP stand-in on a port, for trying things by hand."""

import time
from collections.abc import Callable
from datetime import timedelta

from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, SELLER, AmazonSandbox
from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.kit.clock import Clock, SystemClock
from connectors.kit.errors import BadConfiguration
from connectors.kit.sandbox import Faults, serve


def amazon(clock: Clock, faults: Faults) -> AmazonSandbox:
    """Amazon's, with three orders old enough for its search to show them: a client of Amazon's own has something to confirm."""
    sandbox = AmazonSandbox(clock, faults=faults)
    for n in range(1, 4):
        sandbox.place_order([{"sku": f"SKU-{n}", "title": f"Thing {n}", "quantity": n, "price": "12.50"}], placed_at=clock.now() - timedelta(minutes=10))
    return sandbox


SYSTEMS = {"amazon": amazon, "bigcommerce": BigCommerceSandbox}
DOORS = {"amazon": f"base_url and login_url; seller {SELLER}, client {CLIENT_ID!r}, secret {CLIENT_SECRET!r}, refresh token {REFRESH_TOKEN!r}",
         "bigcommerce": "token 'bigcommerce-sandbox', store hash 'sandbox'"}


def keep_up(system: str, port: int, faults: str, say: Callable[[str], None]) -> None:
    """Serve until interrupted. Raises BadConfiguration for a system without HTTP or a fault that is none."""
    if system not in SYSTEMS:
        raise BadConfiguration(f"starting the sandbox {system!r}", "there is no HTTP stand-in of this name", f"Choose from {', '.join(SYSTEMS)}.")
    clock = SystemClock()
    with serve(SYSTEMS[system](clock, faults=Faults.parse(faults)), clock, port=port) as url:
        say(f"{system} sandbox on {url}  ({DOORS[system]}); Ctrl-C ends it")
        while True:
            time.sleep(3600)
