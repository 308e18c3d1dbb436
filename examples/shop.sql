-- The schema and a few rows of the demo's database: a small shop.
CREATE TABLE customers (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  full_name TEXT NOT NULL,
  country CHAR(2) NOT NULL DEFAULT 'DE',
  created_at TEXT NOT NULL
);
CREATE TABLE products (
  sku TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
  discontinued INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  placed_at TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'open'
);
CREATE TABLE order_lines (
  order_id INTEGER NOT NULL REFERENCES orders (id),
  line INTEGER NOT NULL,
  sku TEXT NOT NULL REFERENCES products (sku),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (order_id, line)
) WITHOUT ROWID;
CREATE INDEX orders_by_customer ON orders (customer_id);
CREATE VIEW revenue_by_country AS
  SELECT c.country, SUM(l.quantity * p.price_cents) AS revenue_cents
  FROM order_lines l
  JOIN orders o ON o.id = l.order_id
  JOIN customers c ON c.id = o.customer_id
  JOIN products p ON p.sku = l.sku
  GROUP BY c.country;

INSERT INTO customers VALUES
  (1, 'ada@example.org', 'Ada Byron', 'GB', '2026-01-04T09:12:00Z'),
  (2, 'grace@example.org', 'Grace Murray', 'US', '2026-02-11T15:40:00Z'),
  (3, 'emmy@example.org', 'Emmy Noether', 'DE', '2026-03-23T07:05:00Z');
INSERT INTO products VALUES
  ('LAMP-1', 'Desk lamp', 4900, 0), ('MUG-2', 'Enamel mug', 1200, 0), ('PEN-3', 'Fountain pen', 8900, 1);
INSERT INTO orders VALUES (10, 1, '2026-05-01T10:00:00Z', 'shipped'), (11, 3, '2026-05-02T11:30:00Z', 'open');
INSERT INTO order_lines VALUES (10, 1, 'LAMP-1', 1), (10, 2, 'MUG-2', 4), (11, 1, 'PEN-3', 2);
