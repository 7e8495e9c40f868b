"""For the run on PostgreSQL, though the cluster has its own."""

import os

collect_ignore_glob = [] if os.environ.get("DATABASE_URL", "").startswith("postgres") else ["test_*"]
