"""GXO over a real SSH server: our files go in, theirs come out, the host key is pinned, and the server may die in between."""

import pytest

from connectors.gxo.profile import Profile
from connectors.gxo.sandbox import GxoSandbox
from connectors.gxo.warehouse import Gxo, Settings, connect
from connectors.kit.clock import ManualClock
from connectors.kit.errors import NotAllowed, NotNow
from connectors.kit.rehearsal import canary_recipient
from connectors.ports import FULFILMENT_REQUEST, Effect
from contracts.effects import FulfilmentRequest, RequestLine
from tests.connectors.sshd import Sshd, find_sshd, sshd

PARTNER = Profile(our_id="MERCHANT", partner_id="GXOWH01", usage="T")
ITEMS = "sku,description,active,unit,barcode,hs_code,origin,customs_value,customs_currency\nSKU-1,Thing,yes,EA,,,,,\n"
pytestmark = [pytest.mark.sshd, pytest.mark.skipif(find_sshd() is None, reason="no SSH server on this machine: run tests/system.sh as root")]


def request(port: Gxo, number: int) -> Effect:
    line = RequestLine(number=1, line_id="11", sku="SKU-1", warehouse_sku="SKU-1", quantity=3, unit="EA", factor=1, currency="GBP")
    payload = FulfilmentRequest(connection="bc", order_id=str(number), ship_group="1", reference=f"UK{number}", warehouse="gxo", facility="NORTH", channel="1",
                                ship_method="Std", carrier="DPDL", service="ND", country="GB", currency="GBP", placed_on="2026-01-15",
                                order_total_minor=300, lines=[line])
    clock = ManualClock()
    effect = Effect(f"fulfilment_request:gxo:{number}", FULFILMENT_REQUEST, "gxo", str(number), payload.model_dump(), number=number, fence=1,
                    planned_at=clock.now(), sent_at=clock.now(), recipient=canary_recipient("bc", str(number), "1"))
    return Effect(**{**vars(effect), "document": port.prepare(effect)})


@pytest.fixture
def far_side(tmp_path):
    (tmp_path / "items.csv").write_text(ITEMS)
    site = GxoSandbox(tmp_path, ManualClock(), PARTNER, {"SKU-1"}, {"NORTH"}, pick_seconds=0, kinds={"complete": 1})
    with sshd() as server:
        yield site, server, tmp_path


def port_of(server: Sshd, root, **changes) -> Gxo:
    return connect("gxo", Settings(partner=PARTNER, files=server.settings(root, settle_seconds=0, **changes)), ManualClock())


def test_an_order_goes_out_and_its_dispatch_comes_back_over_sftp(far_side):
    site, server, root = far_side
    port = port_of(server, root)
    effect = request(port, 7)
    assert port.find(effect) is None
    receipt = port.send(effect)
    assert port.find(effect).remote_id == receipt.remote_id == "000000007"
    site.step()
    assert port.find(effect).evidence["folder"] == PARTNER.partner_archive
    messages = [message for inbound in port.inbound() for message in port.read(inbound)]
    units = sum(int(message.dispatches["quantity"].sum()) for message in messages if message.dispatches is not None)
    assert units == 3 and [a["accepted"] for message in messages for a in message.acknowledgements] == [True]
    for inbound in list(port.inbound()):
        port.file_away(inbound)
        port.file_away(inbound)
    assert list(port.inbound()) == [] and len(port.items()[0]) == 1
    port.close()


def test_a_server_that_is_away_is_not_an_empty_feed_and_the_same_bytes_go_out_once_it_is_back(far_side):
    site, server, root = far_side
    port = port_of(server, root)
    effect = request(port, 8)
    server.kill()
    with pytest.raises(NotNow):
        port.send(effect)
    with pytest.raises(NotNow):
        list(port.inbound())
    with pytest.raises(NotNow):
        port.items()
    server.restart()
    assert port.find(effect) is None
    port.send(effect)
    port.send(effect)
    site.step()
    assert [one["control"] for one in site.books()["received"]] == [8]


def test_another_host_key_is_refused_before_any_login(far_side):
    _, server, root = far_side
    stranger = "SHA256:" + "A" * 43
    with pytest.raises(NotAllowed, match="host key"):
        list(port_of(server, root, host_key=stranger).inbound())
