"""Which device a key belongs to: kept as hashes, remembered in memory; and the AES keys beside them."""
