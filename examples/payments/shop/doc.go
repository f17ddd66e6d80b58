// Package shop is the business of the payments example: what orders and payments look like, the topology that watches them, and a generator of
// live data. `millrace demo` runs the same topology and the same generator.
//
//	orders ──────────────┐
//	                     ├─ join within a window ─┬─ not paid ──────────────► unpaid-orders
//	payments ─ no twice ─┤                        └─ paid ─ per country, minute ─► revenue-per-minute
//	                     └─ per card, minute ─ too many ────────────────────► fraud-alerts
package shop
