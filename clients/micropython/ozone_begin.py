# What it is set to: used once, and forgotten.
def begin(
    device,
    url,
    mac=None,
    claim_token=None,
    firmware="",
    utc=None,
    poll_ms=30000,
    held_s=0,
    capacity=1000,
    drop_oldest=False,
    handlers=None,
    restart=None,
    reset_reason=None,
    timeout_ms=8000,
    hello_ms=30000,
):
    device._host, _, port = url.partition("://")[2].rstrip("/").partition(":")
    device._port = int(port) if port else 443 if device._tls else 80
    device._named = device._host if not port else device._host + ":" + port
    if (mac is None) == (claim_token is None):
        raise ValueError("a machine's mac, or a meter's claim_token")
    device.mac, device.claim_token, device.firmware = mac, claim_token, firmware
    device.utc, device.poll_ms, device.held_s = utc, poll_ms, min(held_s, 30)
    device.capacity, device.drop_oldest = capacity, drop_oldest
    device.handlers, device.restart = handlers or {}, restart
    device.reset_reason, device.timeout_ms, device.hello_ms = reset_reason, timeout_ms, hello_ms
