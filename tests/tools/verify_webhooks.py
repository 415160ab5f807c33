"""Says of each case, as `standardwebhooks` does, whether its signature is right: a JSON list of true and false."""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError


def verified(case: dict) -> bool:
    try:
        return Webhook(case["secret"]).verify(case["body"], case["headers"]) == json.loads(case["body"])
    except WebhookVerificationError:
        return False


with open(sys.argv[1], encoding="utf-8") as cases:
    print(json.dumps([verified(case) for case in json.load(cases)]))
