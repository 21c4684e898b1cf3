"""Signs with vendors' Python libraries: reads the moment from the arguments, prints one JSON delivery a line."""

import json
import sys
import types

folder, seconds = sys.argv[1], int(sys.argv[2])
sys.path.insert(0, folder + "/python")

BODY = json.dumps({"id": "evt_1", "type": "thing.created", "name": "Zoë – 電話"}, ensure_ascii=False)


def out(sdk, provider, method, secret, headers, body=BODY, url=None, query=None):
    delivery = dict(sdk=sdk, provider=provider, method=method, secret=secret, headers=headers, body=body)
    print(json.dumps({**delivery, "url": url, "query": query}))


def twilio():
    from twilio.request_validator import RequestValidator
    from urllib.parse import urlencode

    url, token = "https://hooks.example.com/in/twilio", "a twilio token"
    form = [("CallSid", "CA1"), ("From", "+1 (555) 01"), ("Body", "a&b=c é"), ("AccountSid", "AC1")]
    signature = RequestValidator(token).compute_signature(url + "?a=1&b=%20x", dict(form))
    headers = {"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"}
    out("twilio", "twilio", "signature", token, headers, urlencode(form), url, "a=1&b=%20x")
    from hashlib import sha256

    query = "bodySHA256=" + sha256(BODY.encode()).hexdigest()
    signature = RequestValidator(token).compute_signature(url + "?" + query, {})
    headers = {"x-twilio-signature": signature, "content-type": "application/json"}
    out("twilio (JSON)", "twilio", "signature", token, headers, BODY, url, query)


def slack():
    from slack_sdk.signature import SignatureVerifier

    signature = SignatureVerifier("a slack secret").generate_signature(timestamp=str(seconds), body=BODY)
    headers = {"x-slack-request-timestamp": str(seconds), "x-slack-signature": signature}
    out("slack_sdk", "slack", "signature", "a slack secret", headers)


def plivo():
    # The package itself loads its API client, which signing does not need.
    for name, path in (("plivo", "/plivo"), ("plivo.utils", "/plivo/utils")):
        module = types.ModuleType(name)
        module.__path__ = [folder + "/python" + path]
        sys.modules[name] = module
    from plivo.utils import signature_v3
    from urllib.parse import urlencode

    url, token, nonce = "https://hooks.example.com/in/plivo", "a plivo token", "05429567804466091622"
    form = {"CallUUID": "c-1", "From": "14155550100", "Event": "StartApp"}
    signed = signature_v3.construct_post_url(url + "?b=2&a=1", form)
    signature = signature_v3.get_signature_v3(token, signed, nonce)
    headers = {
        "x-plivo-signature-v3": signature.decode(),
        "x-plivo-signature-v3-nonce": nonce,
        "content-type": "application/x-www-form-urlencoded",
    }
    out("plivo", "plivo", "v3", token, headers, urlencode(form), url, "b=2&a=1")


def adyen():
    from Adyen.util import generate_notification_sig

    key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
    item = {
        "pspReference": "7914073381342284",
        "originalReference": "",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": "TestPayment-1407325143704",
        "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
    }
    signature = generate_notification_sig(item, key)
    signature = signature.decode() if isinstance(signature, bytes) else signature
    item["additionalData"] = {"hmacSignature": signature}
    body = json.dumps({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]})
    out("Adyen", "adyen", "item-hmac", key, {}, body)


def cloudinary():
    from cloudinary import utils

    signature = utils.compute_hex_hash(BODY + str(seconds) + "a cloudinary secret", utils.SIGNATURE_SHA1)
    headers = {"x-cld-timestamp": str(seconds), "x-cld-signature": signature}
    out("cloudinary", "cloudinary", None, "a cloudinary secret", headers)


for sign in (twilio, slack, plivo, adyen, cloudinary):
    sign()
