"""Verifies certificates of activation as `PyJWT` does: a JSON list of the claims of each that is accepted, and of the refusal of each other."""

import json
import sys

import jwt

TYPE = "tenantry-activation+jwt"


def verified(keys: jwt.PyJWKSet, issuer: str, certificate: str) -> dict | str:
    try:
        header = jwt.get_unverified_header(certificate)
        if header.get("typ") != TYPE:
            return "WrongType"
        claims = ["iss", "sub", "iat", "nbf", "exp"]
        return jwt.decode(
            certificate, keys[header["kid"]], algorithms=["EdDSA"], issuer=issuer, options={"require": claims}
        )
    except (jwt.InvalidTokenError, KeyError) as refusal:
        return type(refusal).__name__


with open(sys.argv[1], encoding="utf-8") as file:
    asked = json.load(file)
key_set = jwt.PyJWKSet.from_dict(asked["keys"])
print(json.dumps([verified(key_set, asked["issuer"], certificate) for certificate in asked["certificates"]]))
