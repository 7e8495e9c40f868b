# Whom TLS trusts: used once, and forgotten.
import binascii

import tls


def context(ca):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    if ca is None:
        raise ValueError("https needs a ca; False speaks with anybody")
    if ca is False:
        context.verify_mode = tls.CERT_NONE
        return context
    begin, end = ("-----BEGIN", "-----END") if isinstance(ca, str) else (b"-----BEGIN", b"-----END")
    if begin in ca:  # some builds read DER only
        ca = binascii.a2b_base64(ca[ca.find(begin) + 27 : ca.find(end)])  # behind "-----BEGIN CERTIFICATE-----"
    context.verify_mode = tls.CERT_REQUIRED
    context.load_verify_locations(ca)
    return context
