"""Object storage: one small port, two adapters (`file://`, `s3://`), and the layout of keys."""
