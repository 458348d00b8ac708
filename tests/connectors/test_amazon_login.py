"""The access token: bought when needed, renewed in time, and shown to nobody."""

import json
import logging
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from connectors.amazon.client import said
from connectors.amazon.login import TOKEN_PATH
from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, GB, REFRESH_TOKEN, AmazonSandbox
from connectors.amazon.storefront import Settings, connect
from connectors.kit.clock import ManualClock
from connectors.kit.errors import NotAllowed, NotNow, Refused, WharfingerError
from connectors.kit.sandbox import CONNECT_REFUSED, ERROR_BEFORE, GARBLED, THROTTLED, TIMEOUT_BEFORE, Transport
from tests.connectors import conformance
from tests.connectors.amazon_rig import DE, ITEMS, Rig, dispatch

LOGIN = f"POST {TOKEN_PATH}"


def _bought(rig):
    return rig.calls.count(LOGIN)


def test_one_token_serves_an_hour_and_is_renewed_before_it_ends():
    rig = Rig()
    [order] = rig.place()
    port = rig.connect()
    for _ in range(11):
        port.order(order)
        rig.clock.sleep(297)
    assert _bought(rig) == 1
    rig.clock.sleep(100)
    port.order(order)
    assert _bought(rig) == 2
    assert not [status for status in rig.checked.seen if status.endswith("403")] if rig.checked else True


def test_a_token_that_ends_early_is_renewed_and_the_call_made_once_more():
    rig = Rig()
    [order] = rig.place()
    port = rig.connect()
    port.order(order)
    rig.sandbox.end_tokens()
    port.send(dispatch(order, {rig.items(order)[0]: 1}))
    assert _bought(rig) == 2 and len(rig.sandbox.books()["confirmations"]) == 1


def test_a_token_that_is_never_good_is_no_endless_loop():
    rig = Rig()
    [order] = rig.place()
    port = rig.connect()
    check = rig.sandbox.login.check

    def ended(request):
        rig.sandbox.end_tokens()
        check(request)

    rig.sandbox.login.check = ended
    with pytest.raises(NotAllowed):
        port.order(order)
    assert _bought(rig) == 2


@pytest.mark.parametrize(("setting", "words"), [({"client_secret": SecretStr("wrong")}, "HTTP 401: invalid_client"),
                                                ({"refresh_token": SecretStr("wrong")}, "HTTP 400: invalid_grant")])
def test_credentials_that_amazon_will_not_have_are_not_allowed_and_nothing_was_sent(setting, words):
    rig = Rig()
    [order] = rig.place()
    with pytest.raises(NotAllowed, match=words):
        rig.connect(**setting).send(dispatch(order, {rig.items(order)[0]: 1}))
    assert set(rig.calls) == {LOGIN}


@pytest.mark.parametrize("fault", [CONNECT_REFUSED, TIMEOUT_BEFORE, ERROR_BEFORE, GARBLED, THROTTLED])
def test_a_write_for_which_no_token_is_to_be_had_was_surely_not_sent(fault):
    rig = Rig()
    [order] = rig.place()
    rig.sandbox.faults.add(fault, on=LOGIN)
    with pytest.raises(NotNow):
        rig.connect().send(dispatch(order, {rig.items(order)[0]: 1}))
    assert set(rig.calls) == {LOGIN}


def test_two_connections_to_two_accounts_have_a_token_each():
    rig, other = Rig(), Rig(seller_id="A2SANDBOX", refresh_token="Atzr|other")
    one, two = rig.connect(), other.connect("amz-2", refresh_token=SecretStr("Atzr|other"))
    rig.place(1)
    other.place(2)
    assert (len(rig.ids(one)), len(other.ids(two))) == (1, 2)
    assert (one.account, two.account) == ("A1SANDBOX", "A2SANDBOX")


def test_an_account_that_has_used_up_its_budget_leaves_the_others_theirs():
    """The limits are those of account and application, by operation; marketplaces of one region share them."""
    rig = Rig(marketplaces=(GB, DE))
    [order], port = rig.place(), rig.connect(wait_seconds_max=0, timeout_seconds=1)
    other = Rig(rig.clock, seller_id="A2SANDBOX")
    [theirs], another = other.place(), other.connect("amz-2", wait_seconds_max=0)
    for _ in range(30):
        port.order(order)
    same_account = rig.connect("amz-de", marketplace_ids=(DE,), wait_seconds_max=0)
    for _ in range(30):
        another.order(theirs)
    assert len(rig.ids(port)) == 1, "another operation has another bucket"
    before = rig.clock.now()
    same_account.order(order)
    assert rig.clock.now() > before, "the marketplaces of one account draw from one bucket"
    assert rig.sandbox.books()["refused_429"] == other.sandbox.books()["refused_429"] == 0


def test_neither_token_nor_secret_is_in_a_repr_a_log_or_an_error(caplog):
    caplog.set_level(logging.DEBUG)
    rig, wrong = Rig(), "-".join(("wrong", "secret", "1"))
    [order] = rig.place()
    port = rig.connect()
    port.order(order)
    told = [repr(port), repr(vars(port)), repr(vars(port._client)), repr(vars(port._client._login))]
    for act in (lambda: port.order("026-0000000-9999999"), lambda: rig.connect(client_secret=SecretStr(wrong)).order(order)):
        with pytest.raises(WharfingerError) as raised:
            act()
        told.append(conformance.all_of(raised.value))
    text = "\n".join([*told, caplog.text])
    assert not [secret for secret in (CLIENT_SECRET, REFRESH_TOKEN, "Atza|", wrong) if secret in text]


def test_of_a_refusal_only_codes_and_names_of_fields_are_told():
    body = {"errors": [{"code": "InvalidInput", "message": "trackingNumber of Zzcanary Name is bad", "details": "see quantity"},
                       {"code": "<script>", "message": "x"}, "nonsense", {"code": None}]}
    assert said(httpx.Response(400, json=body)) == "InvalidInput (about trackingNumber, quantity)"
    for strange in (b"", b"[]", b"{}", b"<html>", b'{"errors": "Zzcanary"}', b'{"errors": [1]}', json.dumps({"errors": [{}] * 99_999}).encode()):
        assert said(httpx.Response(400, content=strange)) == ""


def test_a_path_before_the_api_is_a_setting():
    """Amazon's own sandboxes and proxies stand under other hosts and paths."""
    clock = ManualClock()
    sandbox = AmazonSandbox(clock, prefix="/eu/sandbox")
    given = {"seller_id": "A1SANDBOX", "marketplace_ids": (GB,), "client_id": CLIENT_ID, "client_secret": SecretStr(CLIENT_SECRET),
             "refresh_token": SecretStr(REFRESH_TOKEN), "login_url": "http://amazon/eu/sandbox"}
    order = sandbox.place_order(ITEMS)
    here, elsewhere = (connect("amz", Settings(**given, base_url=url), clock, Transport(sandbox, clock)) for url in ("http://amazon/eu/sandbox", "http://amazon/us"))
    assert here.order(order).orders["order_id"].tolist() == [order]
    with pytest.raises(Refused, match="404"):
        elsewhere.order(order)


def test_a_claim_that_ends_while_the_token_is_bought_sends_nothing():
    """Simulator, marketplace seed 66: the claim was looked at before the token, and the parcel confirmed by two processes."""
    rig = Rig()
    [order] = rig.place()
    port = rig.connect()
    rig.sandbox.faults.add(TIMEOUT_BEFORE, on=LOGIN, times=1)
    effect = replace(dispatch(order, {rig.items(order)[0]: 1}), lease_until=rig.clock.now() + timedelta(milliseconds=1))
    with pytest.raises(NotNow, match="longer than the claim"):
        port.send(effect)
    assert _bought(rig) == 2 and rig.sandbox.books()["confirmations"] == []
