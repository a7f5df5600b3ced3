"""A stock S3 client against a node, driven by the tests.

    s3.py check                  all that clients do; prints the changes that it made, as JSON lines
    s3.py put BUCKET FOLDER      puts every file; prints key and SHA-256 of each as soon as it is acknowledged
    s3.py list BUCKET [FOLDER]   prints key, SHA-256 and metadata of every object; keeps their bytes in FOLDER, by that name

S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY and S3_REGION say where the node is.
"""

import hashlib
import http.client
import io
import json
import os
import pathlib
import sys
import urllib.parse

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

MEGABYTE = 1 << 20


def client(secret=None, key=None, **settings):
    """A client with nothing of the machine's settings; it tries once, so that the tests see every failure."""
    return boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT"],
        region_name=os.environ["S3_REGION"],
        aws_access_key_id=key or os.environ["S3_ACCESS_KEY"],
        aws_secret_access_key=secret or os.environ["S3_SECRET_KEY"],
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, **settings),
    )


def say(**fields):
    print(json.dumps(fields), flush=True)


def put(bucket, folder):
    s3 = client()
    root = pathlib.Path(folder)
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        key, data = path.relative_to(root).as_posix(), path.read_bytes()
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=data, Metadata={"file": urllib.parse.quote(key)})
        except HTTPClientError as gone:
            # The node was killed: what was acknowledged until now is what it owes.
            print(f"stopped at {key!r}: {gone}", file=sys.stderr)
            return
        say(key=key, sha256=hashlib.sha256(data).hexdigest())


def listing(bucket, folder=None):
    s3 = client()
    for key in keys(s3, bucket):
        answer = s3.get_object(Bucket=bucket, Key=key)
        data = answer["Body"].read()
        digest = hashlib.sha256(data).hexdigest()
        if folder:
            (pathlib.Path(folder) / digest).write_bytes(data)
        say(key=key, sha256=digest, metadata=answer["Metadata"])


def keys(s3, bucket, **arguments):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, **arguments)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def refused(call, says="", **arguments):
    """Status and code of a refusal that says these words."""
    try:
        call(**arguments)
    except ClientError as error:
        assert says in error.response["Error"].get("Message", ""), error
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    raise AssertionError(f"{call.__name__} with {sorted(arguments)} was not refused")


def same(found, wanted, about):
    assert found == wanted, f"{about}: found {found!r}, wanted {wanted!r}"


def changed(action, key, bucket="films"):
    say(action=action, bucket=bucket, key=key)


def check():
    s3 = client()
    check_buckets(s3)
    check_keys(s3)
    check_ranges(s3)
    check_listing(s3)
    check_multipart(s3)
    check_copies(s3)
    check_presigned(s3)
    check_refusals(s3)
    check_deletes(s3)


def check_buckets(s3):
    # A source names `films`: whether the source or the client was first, the bucket is there.
    if "films" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket="films")
    s3.create_bucket(Bucket="elsewhere")
    same(refused(s3.create_bucket, Bucket="elsewhere"), (409, "BucketAlreadyOwnedByYou"), "a bucket that is there")
    same([bucket["Name"] for bucket in s3.list_buckets()["Buckets"]], ["elsewhere", "films"], "all buckets")
    same(refused(s3.put_object, Bucket="nowhere", Key="a", Body=b"")[0], 404, "a bucket that is not there")
    same(s3.get_bucket_versioning(Bucket="films").get("Status"), None, "versions were never switched on")
    on = refused(s3.put_bucket_versioning, Bucket="films", VersioningConfiguration={"Status": "Enabled"})
    same(on, (501, "NotImplemented"), "versions")


KEYS = [
    "plain",
    "a b  c.dcm",
    "one+two",
    "100%",
    "%20 is no space, %2B no plus",
    "ward/Müller^Jörg/日本語 🩻.dcm",
    "a//b",
    "?q=1&r=#'\"<>\\",
    "x" * 1024,
    "ü" * 512,
]


def check_keys(s3):
    for key in KEYS:
        data = key.encode()
        tag = s3.put_object(Bucket="films", Key=key, Body=data, Metadata={"ward": "7"}, ContentType="text/plain")["ETag"]
        changed("ObjectCreated:Put", key)
        same(tag, f'"{hashlib.md5(data).hexdigest()}"', key)
        answer = s3.get_object(Bucket="films", Key=key)
        same((answer["Body"].read(), answer["ContentType"]), (data, "text/plain"), key)
        same(answer["Metadata"], {"ward": "7"}, key)
    for key in ("x" * 1025, "ü" * 512 + "x"):
        same(refused(s3.put_object, Bucket="films", Key=key, Body=b"")[1], "KeyTooLongError", "1,025 bytes")


def check_ranges(s3):
    data = bytes(range(256)) * 4096
    s3.put_object(Bucket="films", Key="ranges", Body=data)
    changed("ObjectCreated:Put", "ranges")
    for asked, wanted in [("0-0", data[:1]), ("250-260", data[250:261]), ("-3", data[-3:]), ("1048570-", data[-6:])]:
        answer = s3.get_object(Bucket="films", Key="ranges", Range=f"bytes={asked}")
        same((answer["ResponseMetadata"]["HTTPStatusCode"], answer["Body"].read()), (206, wanted), asked)
    beyond = refused(s3.get_object, Bucket="films", Key="ranges", Range=f"bytes={len(data)}-")
    same(beyond, (416, "InvalidRange"), "a range beyond the end")
    head = s3.head_object(Bucket="films", Key="ranges")
    same((head["ContentLength"], head["ContentType"]), (len(data), "binary/octet-stream"), "head")


def check_listing(s3):
    everything = sorted([*KEYS, "ranges"], key=str.encode)
    same(keys(s3, "films", PaginationConfig={"PageSize": 3}), everything, "pages of three")
    folders = s3.list_objects_v2(Bucket="films", Delimiter="/")
    same([folder["Prefix"] for folder in folders["CommonPrefixes"]], ["a/", "ward/"], "folders")
    same(keys(s3, "films", Prefix="a"), ["a b  c.dcm", "a//b"], "a prefix")
    after = [key for key in everything if key.encode() > b"plain"]
    same(keys(s3, "films", StartAfter="plain"), after, "after a key")


def check_multipart(s3):
    data = os.urandom(12 * MEGABYTE)
    parts = TransferConfig(multipart_threshold=5 * MEGABYTE, multipart_chunksize=5 * MEGABYTE)
    s3.upload_fileobj(io.BytesIO(data), "films", "in parts", Config=parts)
    changed("ObjectCreated:CompleteMultipartUpload", "in parts")
    answer = s3.get_object(Bucket="films", Key="in parts")
    assert answer["Body"].read() == data, "the parts make the object"
    digests = [hashlib.md5(data[at : at + 5 * MEGABYTE]).digest() for at in range(0, len(data), 5 * MEGABYTE)]
    same(answer["ETag"], f'"{hashlib.md5(b"".join(digests)).hexdigest()}-3"', "the ETag of three parts")
    check_parts_that_are_copies(s3, data, parts)
    check_open_uploads(s3)


def check_parts_that_are_copies(s3, data, parts):
    source = {"Bucket": "films", "Key": "in parts"}
    s3.copy(source, "elsewhere", "copied by parts", Config=parts)
    answer = s3.get_object(Bucket="elsewhere", Key="copied by parts")
    assert answer["Body"].read() == data, "the copied parts make the object"
    same(answer["ETag"][-3:], '-3"', "it was copied in three parts")
    same(s3.get_object_tagging(**source)["TagSet"], [], "clients ask for the tags of what they copy")
    same(refused(s3.get_object_tagging, Bucket="films", Key="nothing")[0], 404, "the tags of nothing")
    upload = s3.create_multipart_upload(Bucket="films", Key="two bytes")["UploadId"]
    part = {"Bucket": "films", "Key": "two bytes", "UploadId": upload, "PartNumber": 1, "CopySource": source}
    for wrong in (f"bytes=0-{len(data)}", "bytes=5-4", "bytes=-3", "bytes=3-", "3-4"):
        same(refused(s3.upload_part_copy, CopySourceRange=wrong, **part), (400, "InvalidArgument"), wrong)
    stale = refused(s3.upload_part_copy, CopySourceIfMatch='"other"', **part)
    same(stale, (412, "PreconditionFailed"), "a part of what has changed")
    nothing = {**part, "CopySource": {"Bucket": "films", "Key": "nothing"}}
    same(refused(s3.upload_part_copy, **nothing), (404, "NoSuchKey"), "a part of nothing")
    same(s3.list_parts(Bucket="films", Key="two bytes", UploadId=upload).get("Parts", []), [], "none of these is a part")
    last = len(data) - 1
    copied = s3.upload_part_copy(CopySourceRange=f"bytes={last - 1}-{last}", **part)["CopyPartResult"]["ETag"]
    same(copied, f'"{hashlib.md5(data[-2:]).hexdigest()}"', "both ends of a range are in it")
    s3.abort_multipart_upload(Bucket="films", Key="two bytes", UploadId=upload)
    s3.delete_object(Bucket="elsewhere", Key="copied by parts")


def check_open_uploads(s3):
    begin = lambda bucket, key: s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    known = sorted((key, begin("films", key)) for key in ["given up", "given up", "a", "z"])
    other = begin("elsewhere", "given up")
    s3.upload_part(Bucket="films", Key="given up", UploadId=known[1][1], PartNumber=1, Body=b"part")
    listed = lambda answer: [(upload["Key"], upload["UploadId"]) for upload in answer.get("Uploads", [])]
    same(listed(s3.list_multipart_uploads(Bucket="films")), known, "what is open")
    same(listed(s3.list_multipart_uploads(Bucket="films", Prefix="given")), known[1:3], "below a prefix")
    paged, asked = [], {}
    while asked is not None:
        page = s3.list_multipart_uploads(Bucket="films", MaxUploads=1, **asked)
        paged += listed(page)
        more = {"KeyMarker": page.get("NextKeyMarker"), "UploadIdMarker": page.get("NextUploadIdMarker")}
        asked = more if page["IsTruncated"] else None
    same(paged, known, "page by page")
    same(listed(s3.list_multipart_uploads(Bucket="films", KeyMarker="given up")), known[3:], "after a key")
    same(refused(s3.list_multipart_uploads, Bucket="nowhere")[0], 404, "of no bucket")
    for key, upload in known:
        s3.abort_multipart_upload(Bucket="films", Key=key, UploadId=upload)
    s3.abort_multipart_upload(Bucket="elsewhere", Key="given up", UploadId=other)
    same(listed(s3.list_multipart_uploads(Bucket="films")), [], "nothing is left open")
    same(refused(s3.head_object, Bucket="films", Key="given up")[0], 404, "an aborted upload makes no object")


def check_copies(s3):
    s3.copy_object(Bucket="films", Key="a copy +", CopySource={"Bucket": "films", "Key": KEYS[5]})
    changed("ObjectCreated:Copy", "a copy +")
    answer = s3.get_object(Bucket="films", Key="a copy +")
    same((answer["Body"].read(), answer["Metadata"]), (KEYS[5].encode(), {"ward": "7"}), "a copy")
    onto = {"Bucket": "films", "Key": "a copy +", "CopySource": {"Bucket": "films", "Key": "plain"}}
    same(refused(s3.copy_object, IfNoneMatch="*", **onto), (412, "PreconditionFailed"), "a copy onto what is there")
    same(refused(s3.copy_object, IfMatch='"other"', **onto), (412, "PreconditionFailed"), "a copy onto what has changed")
    same(s3.get_object(Bucket="films", Key="a copy +")["ETag"], answer["ETag"], "it is what it was")
    s3.copy_object(Bucket="elsewhere", Key="copy", CopySource={"Bucket": "films", "Key": "plain"})
    same(s3.get_object(Bucket="elsewhere", Key="copy")["Body"].read(), b"plain", "a copy into another bucket")


def check_presigned(s3):
    # The client's default here is still version 2 of the signature.
    for version in ("s3", "s3v4"):
        signer, key = client(signature_version=version), f"signed 100% +ü {version}"
        wanted = {"Params": {"Bucket": "films", "Key": key}, "ExpiresIn": 60}
        same(by_url("PUT", signer.generate_presigned_url("put_object", **wanted), b"by URL"), (200, b""), "a presigned PUT")
        changed("ObjectCreated:Put", key)
        get_it = signer.generate_presigned_url("get_object", **wanted)
        same(by_url("GET", get_it), (200, b"by URL"), "a presigned GET")
        same(by_url("DELETE", get_it)[0], 403, "another method")
        same(by_url("GET", get_it.replace("films/signed", "films/other"))[0], 403, "another object")


def by_url(method, url, data=None):
    """A request of no S3 client: nothing but the URL."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request(method, f"{parts.path}?{parts.query}", data)
    answer = connection.getresponse()
    return answer.status, answer.read()


def check_refusals(s3):
    stranger = client(secret="not the secret")
    same(refused(stranger.list_buckets), (403, "SignatureDoesNotMatch"), "a wrong secret")
    same(refused(stranger.put_object, Bucket="films", Key="x", Body=b"")[0], 403, "a wrong secret")
    same(refused(s3.get_object, Bucket="films", Key="not there"), (404, "NoSuchKey"), "no such object")
    same(refused(s3.delete_bucket, Bucket="films"), (409, "BucketNotEmpty"), "a bucket with objects")
    same(by_url("GET", f"{os.environ['S3_ENDPOINT']}/films/plain")[0], 403, "no signature")
    unknown = client(key="AKIAUNKNOWN")
    same(refused(unknown.list_buckets), (403, "InvalidAccessKeyId"), "an unknown key")
    same(refused(s3.create_bucket, Bucket="a_b", says="bucket name"), (400, "InvalidBucketName"), "a name that is none")
    for asked in ({"ServerSideEncryption": "AES256"}, {"Tagging": "a=b"}, {"ObjectLockLegalHoldStatus": "ON"}):
        same(refused(s3.put_object, Bucket="films", Key="x", Body=b"", **asked)[0], 501, "what would not be done")
    check_refused_bodies()
    old = client(signature_version="s3")
    same(refused(old.list_buckets), (400, "InvalidRequest"), "version 2 of the signature in the head")
    same(refused(old.put_object, Bucket="films", Key="x", Body=b"")[0], 400, "version 2 of the signature in the head")


def check_refused_bodies():
    """Who is refused before the body is read is told that the connection closes."""
    parts = urllib.parse.urlsplit(os.environ["S3_ENDPOINT"])
    connection = http.client.HTTPConnection(parts.netloc)
    connection.putrequest("PUT", "/films/x")
    connection.putheader("Content-Length", "10")
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    answer = connection.getresponse()
    same((answer.status, answer.getheader("Connection")), (403, "close"), "a body that nobody read")


def check_deletes(s3):
    s3.delete_object(Bucket="films", Key=KEYS[1])
    changed("ObjectRemoved:Delete", KEYS[1])
    # Nothing was there: nothing changes, and the answer is the same.
    s3.delete_object(Bucket="films", Key=KEYS[1])
    several = KEYS[2:6]
    answer = s3.delete_objects(Bucket="films", Delete={"Objects": [{"Key": key} for key in several]})
    same(sorted(item["Key"] for item in answer["Deleted"]), sorted(several), "a delete of several")
    for key in several:
        changed("ObjectRemoved:Delete", key)
    assert not set(KEYS[1:6]) & set(keys(s3, "films")), "what was deleted is not listed"
    s3.delete_object(Bucket="elsewhere", Key="copy")
    s3.delete_bucket(Bucket="elsewhere")
    same([bucket["Name"] for bucket in s3.list_buckets()["Buckets"]], ["films"], "buckets that are left")


if __name__ == "__main__":
    {"check": check, "put": put, "list": listing}[sys.argv[1]](*sys.argv[2:])
