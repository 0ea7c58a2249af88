"""Signatures and names of keys, compared with the examples of the RFCs and by another implementation."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from chatnode.acme.jws import AccountKey, b64, binding, mac, thumbprint, unb64
from chatnode.acme.renewal_info import certificate_id
from chatnode.certificates import x509

RFC_7515_A3 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def verify(jwk: dict[str, str], jws: dict[str, str]) -> None:
    """Raises `InvalidSignature`."""
    x, y = (int.from_bytes(unb64(jwk[name])) for name in "xy")
    signature = unb64(jws["signature"])
    assert len(signature) == 64
    encoded = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    public.verify(encoded, f"{jws['protected']}.{jws['payload']}".encode(), ec.ECDSA(hashes.SHA256()))


def test_the_verifier_accepts_the_example_of_rfc_7515() -> None:
    verify(
        RFC_7515_A3,
        {
            "protected": "eyJhbGciOiJFUzI1NiJ9",
            "payload": "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            "signature": "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        },
    )


def test_es256_is_verified_by_another_implementation() -> None:
    for _ in range(50):  # numbers with zeros in front are one in 256
        key = AccountKey.of(x509.new_key())
        assert len(unb64(key.jwk["x"])) == len(unb64(key.jwk["y"])) == 32
        signed = json.loads(key.sign({"nonce": "abc", "url": "https://ca.example/x"}, b'{"a":1}'))
        verify(key.jwk, signed)
        assert json.loads(unb64(signed["protected"])) == {"alg": "ES256", "nonce": "abc", "url": "https://ca.example/x"}
        assert unb64(signed["payload"]) == b'{"a":1}'


def test_reading_is_an_empty_payload() -> None:
    assert json.loads(AccountKey.of(x509.new_key()).sign({}, b""))["payload"] == ""


def test_hs256_as_in_rfc_7515() -> None:
    key = unb64("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
    signed = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    assert b64(mac(signed, key)) == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def test_the_thumbprint_of_the_key_in_rfc_9449() -> None:
    jwk = {
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "crv": "P-256",
    }
    assert thumbprint(jwk) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_a_binding_names_the_account_and_its_key() -> None:
    key = AccountKey.of(x509.new_key())
    bound = binding(key.jwk, "kid-1", b"secret", "https://ca.example/new-account")
    assert json.loads(unb64(bound["protected"])) == {
        "alg": "HS256",
        "kid": "kid-1",
        "url": "https://ca.example/new-account",
    }
    assert json.loads(unb64(bound["payload"])) == key.jwk
    assert unb64(bound["signature"]) == mac(f"{bound['protected']}.{bound['payload']}", b"secret")


def test_the_name_of_a_certificate_in_ari_as_in_rfc_9773() -> None:
    authority_key = bytes.fromhex("69885B6B87464041E1B37B847BA0AE2CDE01C8D4")
    assert certificate_id(authority_key, 0x87654321) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


def test_base64url() -> None:
    for data in (b"", b"a", b"ab", b"abc", bytes(range(256))):
        assert unb64(b64(data)) == data
    assert unb64("YQ==") == b"a"
    for wrong in ("a", "ä", "a b"):
        with pytest.raises(ValueError):  # noqa: PT011
            unb64(wrong)


def test_keys_of_other_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"P-256|Unable"):
        AccountKey.of("nonsense")
