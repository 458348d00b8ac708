"""`wharfinger webhooks`: the door that storefronts call."""

from pathlib import Path
from typing import Annotated

import typer


def webhooks(
    port: Annotated[int, typer.Option(help="Where it listens, behind your TLS proxy.")] = 8765,
    host: Annotated[str, typer.Option(help="Only this machine by default: storefronts need https, which the proxy speaks.")] = "127.0.0.1",
    debounce: Annotated[float, typer.Option(min=0, help="Seconds that a burst is given before a run is asked for.")] = 5.0,
    profile: Annotated[Path | None, typer.Option("--profile", help="The profile.", show_default=False)] = None,
) -> None:
    """Take storefronts' webhooks until interrupted: each genuine one is kept, and a run of orders-to-warehouse is asked for.

    Example: wharfinger webhooks --port 8765
    """
    from connectors.house import House, read_profile
    from deployments.cli_parts import name_profile, told
    from deployments.webhooks import serve_door

    house = House(read_profile(name_profile(profile)))
    try:
        told.print(f"POST http://{host}:{port}/hooks/{{connection}} for {', '.join(house.names('storefront')) or 'no storefront'}; Ctrl-C ends it")
        serve_door(house, host, port, debounce)
    finally:
        house.close()
