"""What Amazon publishes for each operation that we call: requests a second in the long run, and how many at once. By account and application.

createFeed bears the limit of the one kind of feed that we make: five JSON_LISTINGS_FEED in five minutes (the operation's own is 0.0083, 15).
"""

from connectors.kit.buckets import Rate

RATES = {
    "searchOrders": Rate(0.0056, 20), "getOrder": Rate(0.5, 30), "confirmShipment": Rate(2, 10),
    "getListingsItem": Rate(5, 10), "searchListingsItems": Rate(5, 5), "patchListingsItem": Rate(5, 5),
    "createFeedDocument": Rate(0.5, 15), "createFeed": Rate(0.0166, 5), "getFeed": Rate(2, 15), "getFeeds": Rate(0.0222, 10),
    "getFeedDocument": Rate(0.0222, 10),
    "getReports": Rate(0.0222, 10), "createReport": Rate(0.0167, 15), "getReport": Rate(2, 15), "getReportDocument": Rate(0.0167, 15),
    "listTransactions": Rate(0.5, 10), "getMarketplaceParticipations": Rate(0.016, 15),
}
