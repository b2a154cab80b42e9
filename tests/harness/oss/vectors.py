"""Prints requests with the Authorization header that the official SDKs make for them, as JSON: V4 by
alibabacloud-oss-v2, V1 by oss2. Sends nothing. Argument: the seed.
"""

import datetime
import json
import random
import sys
from urllib.parse import quote

import oss2
from alibabacloud_oss_v2.credentials import Credentials
from alibabacloud_oss_v2.signer import SignerV4
from alibabacloud_oss_v2.types import HttpRequest, SigningContext

COUNT = 300
NOW = 1_795_382_594
SEGMENTS = [
    "a", "b c", "plus+plus", "per%41cent%", "ümlaut-ü-日本語", "🚰", "", "quote\"'<&>", "a=b&c", "#{x};", "~t_-.", "*?[]", "a@b:c,d",
    "tab\tand", "\\back", ".", "..",
]
QUERIES = [
    ("uploads", ""), ("symlink", ""), ("list-type", "2"), ("encoding-type", "url"), ("prefix", "a b/+ü%"), ("start-after", "z//é"),
    ("continuation-token", "CgJiYw--/+="), ("max-keys", "1000"), ("uploadId", "0004B9+894/A2=="), ("partNumber", "17"), ("weird key", "v"),
]
HEADERS = [
    ("content-type", "text/plain; charset=utf-8"), ("content-md5", "kAFQmDzST7DWlj99KOF/cg=="), ("x-oss-meta-mtime", "1700000000"),
    ("x-oss-meta-a-b", "with  two spaces"), ("x-oss-forbid-overwrite", "true"), ("x-oss-tagging", "a%20b=c&d=%2B"), ("range", "bytes=1-2"),
    ("x-oss-storage-class", "IA"), ("if-match", '"A"'), ("x-oss-symlink-target", "a%20b/%C3%BC"), ("x-oss-traffic-limit", "819200"),
]

seeded = random.Random(int(sys.argv[1]))


def some(items):
    return seeded.sample(items, seeded.randint(0, min(5, len(items))))


def v4(it):
    pairs = "&".join(quote(name, safe="") + ("=" + quote(value, safe="") if value else "") for name, value in it["query"])
    request = HttpRequest(it["method"], "https://example.com/?" + pairs, headers=dict(it["headers"]))
    SignerV4().sign(
        SigningContext(
            product="oss", region=it["region"], bucket=it["bucket"], key=it["key"], request=request,
            credentials=Credentials(it["access_key"], it["secret"], it["token"]),
            signing_time=datetime.datetime.fromtimestamp(it["now"], datetime.timezone.utc),
        )
    )
    return request.headers["Authorization"]


def v1(it):
    class Request:
        method = it["method"]
        params = dict(it["query"])
        headers = dict(it["headers"])

    oss2.utils.http_date = lambda: (
        datetime.datetime.fromtimestamp(it["now"], datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    )
    auth = oss2.StsAuth(it["access_key"], it["secret"], it["token"]) if it["token"] else oss2.Auth(it["access_key"], it["secret"])
    auth._sign_request(Request, it["bucket"], it["key"] or "")
    return Request.headers["authorization"]


vectors = []
for number in range(2 * COUNT):
    key = "/".join(seeded.choice(SEGMENTS) for _ in range(seeded.randint(1, 5)))
    it = {
        "version": "v4" if number % 2 else "v1",
        "region": seeded.choice(["cn-hangzhou", "us-west-1"]),
        "bucket": seeded.choice(["archive", "a-bucket-2"]),
        "access_key": "LTAI5t%08x" % seeded.getrandbits(32),
        "secret": "%064x" % seeded.getrandbits(256),
        "token": seeded.choice([None, "CAIS+/token=="]),
        "now": NOW + seeded.randint(-(10**8), 10**8),
        "method": seeded.choice(["GET", "PUT", "POST"]),
        "key": None if seeded.random() < 0.1 else key,
        "query": some(QUERIES),
        "headers": some(HEADERS),
    }
    it["authorization"] = v4(it) if it["version"] == "v4" else v1(it)
    vectors.append(it)
json.dump(vectors, sys.stdout)
