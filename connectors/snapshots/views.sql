-- The views that analysts read. Run by publish.py on a new catalogue whose schemas hold the rows as they are now:
--   ledger.*      the tables of tables.py, from the effect ledger
--   kept.*        items, channels: the newest snapshot of every source; snapshots: what is kept
--   catalogue.*   published: one row; dictionary: every view and column below with its meaning (dictionary.csv)
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

CREATE VIEW order_timeline AS SELECT * RENAME ("at" AS happened_at) FROM ledger.timeline ORDER BY connection, order_id, happened_at;

CREATE VIEW feeds AS
SELECT w.feed, w.reached_at, w.updated_at, date_diff('minute', w.reached_at, p.published_at) AS behind_minutes
FROM ledger.watermarks w, catalogue.published p;

CREATE VIEW inbox AS SELECT * FROM ledger.inbox;

CREATE VIEW mappings AS
SELECT m.*, coalesce(m.valid_from <= p.published_at, true) AND coalesce(p.published_at < m.valid_to, true) AS is_current
FROM ledger.mappings m, catalogue.published p;

CREATE VIEW items AS SELECT * EXCLUDE (kind) FROM kept.items;

CREATE VIEW channels AS SELECT * EXCLUDE (kind) FROM kept.channels;

CREATE VIEW snapshots AS SELECT * FROM kept.snapshots;

-- An exception is about an order when its record is the order's id or one of its references, alone or before a ':'.
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
), known AS (
    SELECT connection, order_id, connection AS told_by, order_id AS record FROM ledger.orders
    UNION SELECT connection, order_id, connection, reference FROM ledger.requests
    UNION SELECT connection, order_id, warehouse, reference FROM ledger.requests
), held AS (
    SELECT known.connection, known.order_id, count(DISTINCT e.exception_id) AS exceptions_open, min(e.due_at) AS due_at,
        string_agg(DISTINCT e.type, ', ' ORDER BY e.type) AS held_because, string_agg(DISTINCT e.owner, ', ' ORDER BY e.owner) AS held_by
    FROM known JOIN ledger.exceptions e ON e.connection = known.told_by AND split_part(e.record, ':', 1) = known.record AND e.resolved_at IS NULL
    GROUP BY ALL
)
SELECT o.connection, o.order_id, o.channel, o.placed_at, o.status AS storefront_status, o.status_code AS storefront_status_code, o.state,
    coalesce(l.lines_ordered, 0) AS lines_ordered, coalesce(l.units_ordered, 0) AS units_ordered,
    coalesce(r.requests, 0) AS requests, coalesce(r.warehouses, '') AS warehouses, coalesce(r.request_references, '') AS request_references,
    coalesce(r.effect_states, '') AS effect_states, r.first_sent_at, coalesce(r.units_requested, 0) AS units_requested,
    coalesce(s.packages, 0) AS packages, coalesce(s.units_dispatched, 0) AS units_dispatched,
    coalesce(s.tracking_numbers, '') AS tracking_numbers, s.last_shipped_at,
    coalesce(h.exceptions_open, 0) AS exceptions_open, coalesce(h.held_because, '') AS held_because, coalesce(h.held_by, '') AS held_by, h.due_at,
    CASE WHEN h.exceptions_open > 0 THEN 'needs a person'
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
