"""Reports: what became of the customers' conversations, in figures that can be explained (docs/reports.md)."""
