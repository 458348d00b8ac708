-- The views that analysts read. Run by publish.py on a new catalogue whose schemas hold the rows as they are now:
--   ledger.*      the tables of tables.py, from the effect ledger
--   kept.*        items, channels, locations: the newest snapshot of every source; snapshots: what is kept;
--                 warehouse_stock, shown_stock: intervals made of all of them (history.py)
--   catalogue.*   published: one row; dictionary: every view, macro and column below with its meaning (dictionary.csv)
-- Times are UTC. `*_minor` is money in the currency's minor unit. Text is never null; a missing time or number is null.

CREATE VIEW published AS SELECT published_at FROM catalogue.published;

CREATE VIEW dictionary AS SELECT view_name, column_name, type, meaning FROM catalogue.dictionary ORDER BY view_name, place;

CREATE VIEW orders AS SELECT * FROM ledger.orders;

CREATE VIEW order_lines AS SELECT * FROM ledger.order_lines;

CREATE VIEW fulfilment_requests AS
SELECT r.*, coalesce(e.state, '') AS effect_state, e.sent_at, e.confirmed_at, e.verified_at,
    coalesce(l.lines, 0) AS lines, coalesce(l.units_requested, 0) AS units_requested, coalesce(l.units_advised, 0) AS units_advised
FROM ledger.requests r
LEFT JOIN ledger.effects e ON e.effect_id = r.effect_id AND r.effect_id <> ''
LEFT JOIN (
    SELECT warehouse, reference, count(*) AS lines, sum(quantity)::BIGINT AS units_requested, sum(advised)::BIGINT AS units_advised
    FROM ledger.request_lines GROUP BY ALL
) l ON l.warehouse = r.warehouse AND l.reference = r.reference;

CREATE VIEW request_lines AS
SELECT l.*, coalesce(r.connection, '') AS connection, coalesce(r.order_id, '') AS order_id
FROM ledger.request_lines l
LEFT JOIN ledger.requests r ON r.warehouse = l.warehouse AND r.reference = l.reference;

CREATE VIEW dispatches AS
SELECT d.*, coalesce(r.connection, '') AS connection, coalesce(r.order_id, '') AS order_id, coalesce(r.ship_group, '') AS ship_group
FROM ledger.dispatches d
LEFT JOIN ledger.requests r ON r.warehouse = d.warehouse AND r.reference = d.reference;

CREATE VIEW effects AS SELECT * FROM ledger.effects;

CREATE VIEW exceptions AS SELECT * FROM ledger.exceptions;

CREATE VIEW exceptions_open AS
SELECT e.exception_id, e.type, e.owner, e.severity, e.connection, e.record, e.cause, e.count, e.opened_at, e.last_seen_at, e.due_at, e.waits_on,
    date_diff('minute', e.opened_at, p.published_at) AS age_minutes,
    coalesce(e.due_at < p.published_at, false) AS is_overdue
FROM ledger.exceptions e, catalogue.published p
WHERE e.resolved_at IS NULL
ORDER BY e.due_at, e.exception_id;

-- An exception is about an order when its record is the order's id or one of its references, alone or before a ':'.
CREATE VIEW catalogue.known_records AS
SELECT connection, order_id, connection AS told_by, order_id AS record FROM ledger.orders
UNION SELECT connection, order_id, connection, reference FROM ledger.requests
UNION SELECT connection, order_id, warehouse, reference FROM ledger.requests;

CREATE VIEW order_timeline AS
WITH about AS (
    SELECT k.connection, k.order_id, e.* EXCLUDE (connection)
    FROM catalogue.known_records k JOIN ledger.exceptions e ON e.connection = k.told_by AND split_part(e.record, ':', 1) = k.record
)
SELECT connection, order_id, happened_at, system, what, actor, detail FROM (
    SELECT connection, order_id, "at" AS happened_at, 'wharfinger' AS system, what, actor, detail FROM ledger.timeline
    UNION ALL
    SELECT connection, order_id, placed_at, connection, 'ordered', connection, '' FROM ledger.orders
    UNION ALL
    SELECT connection, order_id, occurred_at, connection, 'payment: ' || kind || CASE WHEN is_settled THEN '' ELSE ', not settled' END, gateway,
        printf('%d.%02d ', amount_minor // 100, amount_minor % 100) || currency
    FROM ledger.payments
    UNION ALL
    SELECT r.connection, r.order_id, d.shipped_at, d.warehouse, 'package left', d.warehouse,
        concat_ws(' ', d.carrier, d.tracking_number, '(' || sum(d.quantity) || ' units)')
    FROM ledger.dispatches d JOIN ledger.requests r ON r.warehouse = d.warehouse AND r.reference = d.reference
    WHERE d.quantity > 0 GROUP BY r.connection, r.order_id, d.shipped_at, d.warehouse, d.advice_id, d.package_id, d.carrier, d.tracking_number
    UNION ALL
    SELECT connection, order_id, asked_at, 'wharfinger', 'return asked for', asked_by, rma FROM ledger.rmas
    UNION ALL
    SELECT connection, order_id, decided_at, 'wharfinger', 'return ' || state, decided_by, rma FROM ledger.rmas WHERE decided_at IS NOT NULL
    UNION ALL
    SELECT connection, order_id, received_at, warehouse, 'returned goods received', warehouse, concat_ws(' ', quantity, sku, grade) FROM ledger.return_lines WHERE order_id <> ''
    UNION ALL
    SELECT connection, order_id, created_at, connection, CASE WHEN bool_or(is_declined) THEN 'refund declined' ELSE 'refunded' END, connection,
        printf('%d.%02d ', sum(amount_minor) // 100, sum(amount_minor) % 100) || currency
    FROM ledger.refunds GROUP BY connection, order_id, refund_id, created_at, currency
    UNION ALL
    SELECT DISTINCT connection, order_id, opened_at, 'wharfinger', 'exception opened: ' || type, owner, exception_id FROM about
    UNION ALL
    SELECT DISTINCT connection, order_id, resolved_at, 'wharfinger', 'exception resolved: ' || type, resolved_by, exception_id FROM about WHERE resolved_at IS NOT NULL
)
ORDER BY connection, order_id, happened_at;

CREATE VIEW feeds AS
SELECT feed, about, reached_at, updated_at, date_diff('minute', reached_at, published_at) AS behind_minutes, skus, units
FROM (
    SELECT feed, 'records' AS about, reached_at, updated_at, NULL::BIGINT AS skus, NULL::BIGINT AS units FROM ledger.watermarks
    UNION ALL SELECT warehouse || ' stock of ' || facility, 'stock', as_of, received_at, skus, units FROM ledger.stock_feeds
), catalogue.published;

CREATE VIEW inbox AS SELECT * FROM ledger.inbox;

CREATE VIEW mappings AS
SELECT m.*, coalesce(m.valid_from <= p.published_at, true) AND coalesce(p.published_at < m.valid_to, true) AS is_current
FROM ledger.mappings m, catalogue.published p;

CREATE VIEW items AS SELECT * EXCLUDE (kind) FROM kept.items;

CREATE VIEW channels AS SELECT * EXCLUDE (kind) FROM kept.channels;

CREATE VIEW locations AS SELECT * EXCLUDE (kind) FROM kept.locations;

CREATE VIEW snapshots AS SELECT * FROM kept.snapshots;

CREATE VIEW order_status AS
WITH lines AS (
    SELECT connection, order_id, count(*) AS lines_ordered, sum(quantity)::BIGINT AS units_ordered
    FROM ledger.order_lines WHERE is_shippable AND is_stock GROUP BY ALL
), requested AS (
    SELECT connection, order_id, count(*) AS requests, string_agg(DISTINCT warehouse, ', ' ORDER BY warehouse) AS warehouses,
        string_agg(reference, ', ' ORDER BY reference) AS request_references, sum(units_requested)::BIGINT AS units_requested,
        string_agg(DISTINCT effect_state, ', ' ORDER BY effect_state) AS effect_states, min(sent_at) AS first_sent_at
    FROM fulfilment_requests GROUP BY ALL
), shipped AS (
    SELECT connection, order_id, count(DISTINCT (warehouse, advice_id, package_id)) AS packages, sum(quantity)::BIGINT AS units_dispatched,
        string_agg(DISTINCT tracking_number, ', ' ORDER BY tracking_number) FILTER (tracking_number <> '') AS tracking_numbers,
        max(shipped_at) AS last_shipped_at
    FROM dispatches WHERE order_id <> '' AND quantity > 0 GROUP BY ALL
), held AS (
    SELECT known.connection, known.order_id, count(DISTINCT e.exception_id) AS exceptions_open, min(e.due_at) AS due_at,
        string_agg(DISTINCT e.type, ', ' ORDER BY e.type) AS held_because, string_agg(DISTINCT e.owner, ', ' ORDER BY e.owner) AS held_by
    FROM catalogue.known_records known JOIN ledger.exceptions e ON e.connection = known.told_by AND split_part(e.record, ':', 1) = known.record AND e.resolved_at IS NULL
    GROUP BY ALL
)
SELECT o.connection, o.order_id, o.channel, o.fulfilled_by, o.placed_at, o.ship_by, o.status AS storefront_status, o.status_code AS storefront_status_code, o.state,
    coalesce(l.lines_ordered, 0) AS lines_ordered, coalesce(l.units_ordered, 0) AS units_ordered,
    coalesce(r.requests, 0) AS requests, coalesce(r.warehouses, '') AS warehouses, coalesce(r.request_references, '') AS request_references,
    coalesce(r.effect_states, '') AS effect_states, r.first_sent_at, coalesce(r.units_requested, 0) AS units_requested,
    coalesce(s.packages, 0) AS packages, coalesce(s.units_dispatched, 0) AS units_dispatched,
    coalesce(s.tracking_numbers, '') AS tracking_numbers, s.last_shipped_at,
    coalesce(h.exceptions_open, 0) AS exceptions_open, coalesce(h.held_because, '') AS held_because, coalesce(h.held_by, '') AS held_by, h.due_at,
    CASE WHEN h.exceptions_open > 0 THEN 'needs a person'
         WHEN o.fulfilled_by = 'marketplace' AND r.requests IS NULL THEN 'fulfilled by the marketplace'
         WHEN o.status IN ('cancelled', 'refunded') THEN o.status
         WHEN r.requests IS NULL THEN 'not requested'
         WHEN coalesce(s.units_dispatched, 0) = 0 THEN 'with the warehouse'
         WHEN s.units_dispatched < r.units_requested THEN 'partly dispatched'
         ELSE 'dispatched' END AS stands
FROM ledger.orders o
LEFT JOIN lines l USING (connection, order_id)
LEFT JOIN requested r USING (connection, order_id)
LEFT JOIN shipped s USING (connection, order_id)
LEFT JOIN held h USING (connection, order_id);

-- whose parcels they were: what a marketplace fulfils itself is counted beside what is ours
CREATE VIEW orders_by_day AS
SELECT connection, channel, placed_at::DATE AS day, fulfilled_by, count(*) AS orders,
    count(*) FILTER (stands = 'fulfilled by the marketplace') AS orders_not_ours, count(*) FILTER (requests > 0) AS orders_asked,
    count(*) FILTER (exceptions_open > 0) AS orders_held, sum(units_ordered)::BIGINT AS units
FROM order_status GROUP BY ALL;

-- stock: what a warehouse has (statements, and documents between them), what we told a storefront, what the storefront showed
CREATE VIEW stock_history AS
SELECT warehouse AS system, 'has' AS figure, facility AS place, sku, unit, available AS quantity, valid_from, valid_to, because, warehouse AS changed_by,
    document_id AS document, reason
FROM kept.warehouse_stock
UNION ALL
SELECT connection, 'told', location, sku, '', quantity, confirmed_at, lead(confirmed_at) OVER (PARTITION BY connection, location, sku ORDER BY confirmed_at, effect_id),
    'update', 'wharfinger', effect_id, ''
FROM ledger.stock_updates WHERE state = 'CONFIRMED'
UNION ALL
SELECT connection, 'shows', location, sku, '', available, valid_from, valid_to, because, connection, document_id, reason FROM kept.shown_stock;

CREATE MACRO stock_as_of("at") AS TABLE
SELECT system, figure, place, sku, unit, quantity, valid_from, because, changed_by, document, reason FROM stock_history
WHERE valid_from <= "at"::TIMESTAMPTZ AND (valid_to IS NULL OR "at"::TIMESTAMPTZ < valid_to);

CREATE VIEW stock_changes AS
SELECT valid_from AS changed_at, system, figure, place, sku, unit, lag(quantity) OVER earlier AS quantity_before, quantity,
    quantity - lag(quantity) OVER earlier AS change, because, changed_by, document, reason
FROM stock_history
WINDOW earlier AS (PARTITION BY system, figure, place, sku ORDER BY valid_from, valid_to NULLS LAST);

CREATE VIEW stock_positions AS
SELECT s.warehouse, s.facility, s.sku, s.unit, s.available, s.on_hand, s.on_hold, s.valid_from AS since, s.because, s.document_id AS document, s.stated_at,
    date_diff('minute', s.stated_at, p.published_at) AS stated_minutes_ago
FROM kept.warehouse_stock s, catalogue.published p WHERE s.valid_to IS NULL;

CREATE VIEW stock_shown AS
SELECT connection, location, sku, available, on_hand, safety_stock, is_tracked, valid_from AS since, stated_at AS seen_at FROM kept.shown_stock WHERE valid_to IS NULL;

CREATE VIEW stock_told AS
SELECT d.connection, d.location, d.sku, d.quantity, d.as_of, d.decided_at, d.parts, d.withheld, d.is_corrected, d.is_owed, d.sent_quantity, d.sent_at, d.effect_id,
    coalesce(e.state, '') AS effect_state
FROM ledger.stock_desired d LEFT JOIN ledger.effects e ON e.effect_id = d.effect_id AND d.effect_id <> '';

CREATE VIEW stock_decisions AS SELECT * FROM kept.stock_decisions;

CREATE VIEW stock_updates AS
SELECT effect_id, connection, location, sku, quantity, as_of, state AS effect_state, sent_at, confirmed_at FROM ledger.stock_updates;

CREATE VIEW stock_documents AS SELECT * EXCLUDE (sequence) FROM ledger.stock_changes;

CREATE VIEW receipts_announced AS SELECT * FROM ledger.receipt_notices;

CREATE VIEW returns AS
SELECT r.*, coalesce(e.state, '') AS refund_effect_state
FROM ledger.return_lines r LEFT JOIN ledger.effects e ON e.effect_id = r.refund_effect AND r.refund_effect <> '';

CREATE VIEW rmas AS SELECT * FROM ledger.rmas;

CREATE VIEW refunds AS SELECT * FROM ledger.refunds;

CREATE VIEW payments AS SELECT * FROM ledger.payments;

CREATE VIEW drift AS
SELECT d.*, d.ended_at IS NULL AS is_open, date_diff('minute', d.began_at, coalesce(d.ended_at, p.published_at)) AS age_minutes
FROM ledger.drift d, catalogue.published p;

CREATE VIEW reconciliation AS SELECT * FROM ledger.reconciliation;

-- settlements: what a marketplace says that it owes and pays. The amounts are snapshots, what they are is the ledger's word (settlement_types included)
CREATE VIEW returns_authorised AS
SELECT a.*, coalesce(b.units_back, 0) AS units_received
FROM ledger.authorised_returns a
LEFT JOIN (SELECT connection, order_id, sum(storefront_quantity)::BIGINT AS units_back FROM ledger.return_lines WHERE order_id <> '' GROUP BY ALL) b
    ON b.connection = a.connection AND b.order_id = a.order_id;

CREATE VIEW settlements AS
SELECT s.* EXCLUDE (content_hash), s.sum_minor - s.deposit_minor AS difference_minor, s.state = 'consistent' AS is_consistent FROM ledger.settlements s;

CREATE VIEW catalogue.settlement_kinds AS
SELECT connection, settlement_id, transaction_type, amount_type, amount_description, arg_max(category, rows) AS category, arg_max(account, rows) AS account,
    arg_max(level, rows) AS level, arg_max(known_by, rows) AS known_by
FROM ledger.settlement_sums GROUP BY ALL;

CREATE VIEW settlement_rows AS
SELECT s.connection, r.* EXCLUDE (connection, category, level, rule), coalesce(k.category, r.category) AS category, coalesce(k.account, '') AS account,
    coalesce(k.level, r.level) AS level, coalesce(k.known_by, '') AS known_by, r.rule
FROM kept.settlement_rows r
JOIN ledger.settlements s ON s.connection = r.connection AND s.settlement_id = r.settlement_id AND s.document = r.file
LEFT JOIN catalogue.settlement_kinds k ON k.connection = r.connection AND k.settlement_id = r.settlement_id
    AND k.transaction_type = lower(trim(r.transaction_type)) AND k.amount_type = lower(trim(r.amount_type)) AND k.amount_description = lower(trim(r.amount_description));

CREATE VIEW settlement_journal AS
SELECT connection, settlement_id, account, category, level, currency, sum(rows)::BIGINT AS rows, sum(amount_minor)::BIGINT AS amount_minor
FROM ledger.settlement_sums GROUP BY ALL
UNION ALL
SELECT connection, settlement_id, 'Deposit', 'deposit', 'balance', currency, 1, -deposit_minor FROM ledger.settlements
UNION ALL
SELECT connection, settlement_id, 'Difference at the source', 'difference', 'balance', currency, 1, deposit_minor - sum_minor FROM ledger.settlements WHERE sum_minor <> deposit_minor;

CREATE VIEW settlement_orders AS
WITH settled AS (
    SELECT connection, order_id, currency, max(fulfilment) AS fulfilment, string_agg(DISTINCT settlement_id, ', ' ORDER BY settlement_id) AS settlements,
        sum(quantity)::BIGINT AS units_paid, sum(principal_minor)::BIGINT AS principal_minor, sum(shipping_minor)::BIGINT AS shipping_minor, sum(tax_minor)::BIGINT AS tax_minor,
        sum(promotion_minor)::BIGINT AS promotion_minor, sum(withheld_minor)::BIGINT AS withheld_minor, sum(reclassed_minor)::BIGINT AS reclassed_minor, sum(fees_minor)::BIGINT AS fees_minor,
        sum(refunded_minor)::BIGINT AS refunded_minor, sum(unknown_minor)::BIGINT AS unknown_minor, sum(other_minor)::BIGINT AS other_minor, sum(net_minor)::BIGINT AS net_minor,
        min(first_posted_at) AS first_posted_at, max(refunded_at) AS refunded_at
    FROM ledger.settlement_items GROUP BY ALL
), shipped AS (
    SELECT connection, order_id, sum(quantity)::BIGINT AS units_dispatched, max(shipped_at) AS last_shipped_at FROM dispatches WHERE order_id <> '' AND quantity > 0 GROUP BY ALL
), back AS (
    SELECT connection, order_id, sum(storefront_quantity)::BIGINT AS units_returned, max(received_at) AS last_returned_at FROM ledger.return_lines WHERE order_id <> '' GROUP BY ALL
), judged AS (
    SELECT connection, order_id, arg_max(verdict, (made_at, period)) AS verdict FROM ledger.reconciliation GROUP BY ALL
)
SELECT s.*, coalesce(o.total_minor, 0) AS ordered_minor, o.order_id IS NOT NULL AS is_in_order_book, coalesce(d.units_dispatched, 0) AS units_dispatched, d.last_shipped_at,
    coalesce(b.units_returned, 0) AS units_returned, b.last_returned_at,
    CASE WHEN s.fulfilment = 'marketplace' THEN 'shipped by the marketplace' WHEN o.order_id IS NULL THEN 'not in the order book' ELSE coalesce(j.verdict, 'not reconciled yet') END AS verdict
FROM settled s
LEFT JOIN ledger.orders o ON o.connection = s.connection AND o.order_id = s.order_id
LEFT JOIN shipped d ON d.connection = s.connection AND d.order_id = s.order_id
LEFT JOIN back b ON b.connection = s.connection AND b.order_id = s.order_id
LEFT JOIN judged j ON j.connection = s.connection AND j.order_id = s.order_id;

CREATE VIEW reserve_chain AS
WITH reserves AS (
    SELECT connection, settlement_id, sum(CASE WHEN amount_minor > 0 THEN amount_minor ELSE 0 END)::BIGINT AS brought_minor,
        sum(CASE WHEN amount_minor < 0 THEN -amount_minor ELSE 0 END)::BIGINT AS held_minor
    FROM ledger.settlement_sums WHERE category = 'reserve' GROUP BY ALL
), held AS (
    SELECT s.connection, s.settlement_id, s.currency, s.started_at, s.ended_at, coalesce(r.brought_minor, 0) AS brought_minor, coalesce(r.held_minor, 0) AS held_minor
    FROM ledger.settlements s LEFT JOIN reserves r ON r.connection = s.connection AND r.settlement_id = s.settlement_id
), joined AS (
    SELECT h.*, coalesce(b.settlement_id, '') AS previous, b.held_minor AS held_before_minor,
        row_number() OVER (PARTITION BY h.connection, h.settlement_id ORDER BY b.held_minor IS DISTINCT FROM h.brought_minor, b.ended_at DESC, b.settlement_id) AS place
    FROM held h LEFT JOIN held b ON b.connection = h.connection AND b.currency = h.currency AND b.settlement_id <> h.settlement_id
        AND abs(date_diff('second', b.ended_at, h.started_at)) <= 3600
)
SELECT connection, currency, started_at, ended_at, settlement_id, previous, held_before_minor, brought_minor, held_minor,
    CASE WHEN previous = '' THEN 'nothing before it' WHEN held_before_minor = brought_minor THEN 'whole' ELSE 'broken' END AS verdict
FROM joined WHERE place = 1 ORDER BY connection, currency, started_at;

CREATE VIEW hints AS
SELECT connection, topic, count(*) AS received, count(*) FILTER (taken_at IS NULL) AS waiting, max(received_at) AS last_received_at,
    avg(date_diff('second', received_at, taken_at))::BIGINT AS taken_after_seconds
FROM ledger.hints GROUP BY ALL;

CREATE VIEW alerts AS
SELECT a.exception_id, a.stage, a.alert_id, a.promised_at, a.told_at, coalesce(e.type, '') AS type, coalesce(e.owner, '') AS owner, coalesce(e.severity, '') AS severity,
    coalesce(e.connection, '') AS connection, coalesce(e.record, '') AS record, e.due_at
FROM ledger.alerts a LEFT JOIN ledger.exceptions e USING (exception_id);

CREATE VIEW journal AS SELECT * RENAME ("at" AS noted_at) FROM ledger.journal;
