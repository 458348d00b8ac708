"""What travels of listings, in Amazon's own field names (listingsItems 2021-08-01).

Read models take what we use and let unknown fields pass; what we send is exact. `merge` is the only operation we ever send: `replace` would
wipe the lead time and the restock date of the same channel, and a channel code of Amazon's own would make the listing fulfilled twice over.
"""

from typing import Any, Literal

from pydantic import Field

from connectors.amazon.wire import Moment, Read, Sent, Text

DEFAULT_CHANNEL = "DEFAULT"  # the merchant ships; every other code begins with AMAZON_, and Amazon ships
AVAILABILITY = "/attributes/fulfillment_availability"
QUANTITY_MAX = 2_147_483_647
ANY_PRODUCT = "PRODUCT"  # Amazon's generic product type, for a listing that does not name its own
ERROR = "ERROR"


class Summary(Read):
    """A listing in one marketplace."""

    marketplaceId: str
    asin: Text = ""
    productType: Text = ""
    itemName: Text = ""
    status: list[str] = []
    createdDate: Moment


class Availability(Read):
    """What one fulfilment channel of a listing has; Amazon's own channels show no quantity."""

    fulfillmentChannelCode: str
    quantity: int | None = Field(None, ge=0)


class ProductType(Read):
    """The product type that the seller named, in one marketplace."""

    marketplaceId: str
    productType: Text = ""


class Issue(Read):
    """What is wrong with a listing or a submission; only an ERROR keeps it from being taken."""

    code: Text = ""
    message: Text = ""
    severity: str
    attributeNames: list[str] = []


class Item(Read):
    """One listing (`Item`)."""

    sku: str = Field(min_length=1)
    summaries: list[Summary] = []
    fulfillmentAvailability: list[Availability] = []
    productTypes: list[ProductType] = []
    issues: list[Issue] = []


class Pagination(Read):
    """Where the next page is; nothing on the last."""

    nextToken: Text = ""


class ItemPage(Read):
    """One page of a search (`ItemSearchResults`)."""

    numberOfResults: int = Field(ge=0)
    items: list[Any]
    pagination: Pagination = Pagination()


class Submission(Read):
    """The answer to a patch: a 200 says only that it was looked at, `status` whether it was taken."""

    sku: str
    status: Literal["ACCEPTED", "INVALID", "VALID"]
    submissionId: str
    issues: list[Issue] = []

    def refusal(self) -> str:
        """'' when it was accepted for processing; else why not, in Amazon's codes."""
        return "" if self.status == "ACCEPTED" else told(self.issues) or f"status {self.status}"


class Quantity(Sent):
    """The one figure that we set; the channel code is the selector and is never left out, nor another."""

    fulfillment_channel_code: Literal["DEFAULT"] = DEFAULT_CHANNEL
    quantity: int = Field(ge=0, le=QUANTITY_MAX)


class Patch(Sent):
    """One patch operation, the only one we know."""

    op: Literal["merge"] = "merge"
    path: Literal["/attributes/fulfillment_availability"] = AVAILABILITY
    value: list[Quantity] = Field(min_length=1, max_length=1)

    @classmethod
    def of(cls, quantity: int) -> "Patch":
        """The patch that sets this figure."""
        return cls(value=[Quantity(quantity=quantity)])


class PatchRequest(Sent):
    """The body of patchListingsItem."""

    productType: str = Field(min_length=1)
    patches: list[Patch] = Field(min_length=1, max_length=1)

    def body(self) -> bytes:
        """As JSON."""
        return self.model_dump_json().encode()


def told(issues: list[Issue]) -> str:
    """The errors among these for a sentence: codes and the attributes they are about, not the free text."""
    found = dict.fromkeys(f"issue {issue.code or 'without a code'}" + (f" about {', '.join(issue.attributeNames[:3])}" if issue.attributeNames else "")
                          for issue in issues if issue.severity == ERROR)
    return "; ".join(list(found)[:5])
