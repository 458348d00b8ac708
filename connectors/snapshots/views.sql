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

CREATE VIEW hints AS
SELECT connection, topic, count(*) AS received, count(*) FILTER (taken_at IS NULL) AS waiting, max(received_at) AS last_received_at,
    avg(date_diff('second', received_at, taken_at))::BIGINT AS taken_after_seconds
FROM ledger.hints GROUP BY ALL;

CREATE VIEW alerts AS
SELECT a.exception_id, a.stage, a.alert_id, a.promised_at, a.told_at, coalesce(e.type, '') AS type, coalesce(e.owner, '') AS owner, coalesce(e.severity, '') AS severity,
    coalesce(e.connection, '') AS connection, coalesce(e.record, '') AS record, e.due_at
FROM ledger.alerts a LEFT JOIN ledger.exceptions e USING (exception_id);

CREATE VIEW journal AS SELECT * RENAME ("at" AS noted_at) FROM ledger.journal;
