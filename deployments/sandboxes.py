"""One HTTP stand-in on a port, for trying things by hand."""

import time
from collections.abc import Callable

from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, SELLER, AmazonSandbox
from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.kit.clock import SystemClock
from connectors.kit.errors import BadConfiguration
from connectors.kit.sandbox import Faults, serve

SYSTEMS = {"amazon": AmazonSandbox, "bigcommerce": BigCommerceSandbox}
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
