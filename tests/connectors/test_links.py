"""Documents behind links: only where they may lead, without credentials, never larger than bearable, and unpacked with care."""

import gzip
import os

import httpx
import pytest

from connectors.kit import links
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadDocument, NotAllowed, WharfingerError
from connectors.kit.http import ReadFailed
from connectors.kit.links import LinkExpired, Links, unpacked

HOSTS = ("*.s3.amazonaws.com", "*.s3.*.amazonaws.com", "documents")
LINK = "https://bucket.s3.eu-west-1.amazonaws.com/key?X-Amz-Signature=5ecret"


def opener(answer: httpx.Response | list[httpx.Response], seen: list[httpx.Request] | None = None, **given: object) -> Links:
    answers = answer if isinstance(answer, list) else [answer] * 10
    seen = [] if seen is None else seen

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answers[len(seen) - 1]

    return Links("shop", ManualClock(), HOSTS, transport=httpx.MockTransport(handle), **given)


@pytest.mark.parametrize("link", [
    "http://169.254.169.254/latest/meta-data", "https://169.254.169.254/", "https://10.0.0.1/x", "https://[::1]/x", "https://127.0.0.1/x", "http://localhost:80/x",
    "https://evil.example/x", "https://s3.amazonaws.com.evil.example/x", "http://bucket.s3.amazonaws.com/x", "https://user@bucket.s3.amazonaws.com/x",
    "file:///etc/passwd", "ftp://bucket.s3.amazonaws.com/x", "https://bucket.s3.amazonaws.com.:443@evil.example/", "//bucket.s3.amazonaws.com/x", "", "https://",
    "https://instance.compute.amazonaws.com/x", "https://2130706433/x", "https://bucket.s3.amazonaws.com\\@evil.example/x"])
def test_a_link_to_anywhere_else_is_never_opened(link: str) -> None:
    seen: list[httpx.Request] = []
    with pytest.raises(NotAllowed):
        opener(httpx.Response(200, content=b"secret"), seen).get(link)
    assert seen == []


def test_a_document_is_fetched_without_credentials_and_its_link_is_in_no_error() -> None:
    seen: list[httpx.Request] = []
    assert opener(httpx.Response(200, headers={"content-type": "text/plain"}, content=b"\xfcber"), seen).get(LINK) == b"\xfcber"
    assert not {"authorization", "x-amz-access-token", "cookie"} & set(seen[0].headers) and seen[0].headers["accept-encoding"] == "identity"
    for answer in (httpx.Response(403), httpx.Response(500), httpx.Response(302, headers={"location": LINK})):
        with pytest.raises(WharfingerError) as error:
            opener(answer).get(LINK)
        assert "5ecret" not in str(error.value) and "key" not in error.value.got


def test_no_redirect_is_followed_even_to_a_host_that_is_ours() -> None:
    seen: list[httpx.Request] = []
    with pytest.raises(NotAllowed, match="no redirect"):
        opener(httpx.Response(302, headers={"location": LINK}), seen).get(LINK)
    assert len(seen) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_link_that_does_not_open_any_more_asks_for_a_new_one(status: int) -> None:
    with pytest.raises(LinkExpired):
        opener(httpx.Response(status)).get(LINK)


def test_a_server_that_stumbles_is_asked_again_and_not_for_ever() -> None:
    seen: list[httpx.Request] = []
    assert opener([httpx.Response(503), httpx.Response(200, content=b"x")], seen).get(LINK) == b"x"
    with pytest.raises(ReadFailed):
        opener(httpx.Response(503), seen := []).get(LINK)
    assert len(seen) == 3


@pytest.mark.parametrize("body", [b"", b"a" * 10, os.urandom(3_000_000)], ids=["nothing", "little", "much"])
def test_what_was_packed_comes_unpacked_in_one_member_or_several(body: bytes) -> None:
    assert opener(httpx.Response(200, content=gzip.compress(body))).get(LINK, packed=True) == body
    assert unpacked("x", gzip.compress(body[:5]) + gzip.compress(body[5:])) == body


def test_a_body_that_is_packed_for_the_way_is_unpacked_once_only() -> None:
    body = gzip.compress(b"rows")
    assert opener(httpx.Response(200, headers={"content-encoding": "gzip"}, content=body)).get(LINK) == b"rows"
    assert opener(httpx.Response(200, headers={"content-encoding": "gzip"}, content=body)).get(LINK, packed=True) == b"rows"


def test_a_bomb_is_refused_before_it_has_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(BadDocument, match="unpacks to more"):
        unpacked("x", bomb)
    with pytest.raises(BadDocument, match="unpacks to more"):
        unpacked("x", gzip.compress(os.urandom(200_000)), bytes_max=100_000)
    with pytest.raises(BadDocument, match="larger than 10 bytes"):
        opener(httpx.Response(200, content=b"x" * 11), bytes_max=10).get(LINK)


def test_every_cut_of_a_packed_document_is_told_and_nothing_of_it_is_used() -> None:
    whole = gzip.compress(b"settlement-id\tamount\n1\t2.00\n" * 20)
    for end in range(1, len(whole)):
        with pytest.raises(ReadFailed):
            unpacked("x", whole[:end])
    with pytest.raises(ReadFailed):
        unpacked("x", b"<html>not gzip</html>")


def test_a_document_is_put_once_where_the_link_says() -> None:
    seen: list[httpx.Request] = []
    opener(httpx.Response(200), seen).put(LINK, b"{}", "application/json; charset=UTF-8")
    assert [(one.method, one.content, one.headers["content-type"]) for one in seen] == [("PUT", b"{}", "application/json; charset=UTF-8")]
    with pytest.raises(NotAllowed):
        opener(httpx.Response(200)).put("https://evil.example/x", b"{}", "text/plain")


def test_ratio_counts_from_a_size_that_hurts() -> None:
    assert len(unpacked("x", gzip.compress(b"0\t" * 100_000))) == 200_000 < links.RATIO_FROM
