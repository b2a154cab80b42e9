"""Fills and inspects a bucket for the tests, independently of the connector under test.

Arguments: endpoint, access key, secret, command, and what the command needs.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

endpoint, access_key, secret, command, *rest = sys.argv[1:]
client = boto3.client(
    "s3",
    endpoint_url=endpoint,
    aws_access_key_id=access_key,
    aws_secret_access_key=secret,
    region_name="us-east-1",
    config=Config(
        s3={"addressing_style": "path"},
        max_pool_connections=16,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    ),
)


def keys(bucket, prefix=""):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            yield item["Key"]


def ready():
    client.list_buckets()


def make(bucket):
    client.create_bucket(Bucket=bucket)


def fill(bucket, folder, prefix="", content_type="binary/octet-stream"):
    """Puts every file below a folder."""
    files = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]

    def put(path):
        with open(path, "rb") as body:
            key = prefix + os.path.relpath(path, folder)
            kept = {"ContentType": content_type, "Metadata": {"origin": "boto"}}
            client.put_object(Bucket=bucket, Key=key, Body=body.read(), **kept)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, files))


def numbered(bucket, count):
    """Puts empty objects, named by their numbers."""
    with ThreadPoolExecutor(16) as pool:
        names = (f"{number // 1000:04}/{number:07}" for number in range(int(count)))
        list(pool.map(lambda name: client.put_object(Bucket=bucket, Key=name, Body=b""), names))


def fetch(bucket, folder, prefix=""):
    """Writes every object below a folder."""

    def get(key):
        path = os.path.join(folder, key[len(prefix) :])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as body:
            for block in client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1 << 20):
                body.write(block)

    os.makedirs(folder, exist_ok=True)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(get, keys(bucket, prefix)))


def listed(bucket):
    print(json.dumps(list(keys(bucket))))


def uploads(bucket):
    answer = client.list_multipart_uploads(Bucket=bucket)
    print(json.dumps([upload["Key"] for upload in answer.get("Uploads", [])]))


def head(bucket, key):
    answer = client.head_object(Bucket=bucket, Key=key)
    print(
        json.dumps(
            {
                "size": answer["ContentLength"],
                "content_type": answer.get("ContentType"),
                "metadata": answer["Metadata"],
            }
        )
    )


def tags(bucket, key):
    found = client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    print(json.dumps({tag["Key"]: tag["Value"] for tag in found}))


def put(bucket, key, text, content_type="binary/octet-stream"):
    """Puts one object, under any key."""
    metadata = {"origin": "boto"}
    client.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType=content_type, Metadata=metadata)


globals()[command](*rest)
