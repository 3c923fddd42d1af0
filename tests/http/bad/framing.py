"""Requests as bytes on a fresh socket: framing that two programs could read differently, and requests that are no HTTP.

(bytes, status or None for no answer at all). What follows such a request must not be served as a second one.
"""

JOB = b'{"seed":1}'
HOST = b"Host: localhost\r\n"
TYPE = b"Content-Type: application/json\r\n"
POST = b"POST /v1/jobs HTTP/1.1\r\n" + HOST + TYPE
CHUNKED = b"Transfer-Encoding: chunked\r\n"

RAW = [
    # two lengths
    (POST + b"Content-Length: 10\r\nContent-Length: 10\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: 0\r\nContent-Length: 10\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: 10\r\nContent-Length: 0\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: 10\r\ncontent-length: 11\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: 10, 10\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: 10,0\r\n\r\n" + JOB, 400),
    # lengths that are none
    (POST + b"Content-Length: -1\r\n\r\n", 400),
    (POST + b"Content-Length: +10\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: 0x10\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: 1e1\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: 10.0\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: ten\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: 10 10\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length : 10\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: 18446744073709551626\r\n\r\n" + JOB, 413),
    (POST + b"Content-Length: 18446744073709551614\r\n\r\n" + JOB, 413),
    (POST + b"Content-Length: 9223372036854775808\r\n\r\n" + JOB, 413),
    (POST + b"Content-Length: 999999999999999999999999999999\r\n\r\n" + JOB, 413),
    (POST + b"Content-Length: 262145\r\n\r\n", None),  # 1 more than may come: waits for it, and is then refused
    # transfer codings
    (POST + b"Content-Length: 10\r\n" + CHUNKED + b"\r\n0\r\n\r\n", 400),
    (POST + CHUNKED + b"Content-Length: 10\r\n\r\n0\r\n\r\n", 400),
    (POST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", 501),
    (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 501),
    (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
    (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    (POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 501),
    (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\t\r\nX-A: 1\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length: 10 \r\n\r\n" + JOB, 400),
    (POST + b"Transfer-Encoding: identity\r\n\r\n", 501),
    (POST + b"Transfer-Encoding:\r\n\r\n", 501),
    (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /v1/jobs HTTP/1.0\r\n" + HOST + TYPE + CHUNKED + b"\r\n0\r\n\r\n", 400),
    # chunks that are none: the connection ends
    (POST + CHUNKED + b"\r\nzz\r\n" + JOB + b"\r\n0\r\n\r\n", 400),
    (POST + CHUNKED + b"\r\n-a\r\n" + JOB + b"\r\n0\r\n\r\n", 400),
    (POST + CHUNKED + b"\r\n0xa\r\n" + JOB + b"\r\n0\r\n\r\n", 400),
    (POST + CHUNKED + b"\r\nffffffffffffffffff\r\n" + JOB + b"\r\n0\r\n\r\n", 413),
    (POST + CHUNKED + b"\r\n5\r\n" + JOB + b"\r\n0\r\n\r\n", 400),
    # headers
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"Bad Name: 1\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"X-A\t: 1\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"X(A): 1\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"X-\xc3\xa9: 1\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"No colon\r\n\r\n", 400),
    # lines that go on in the next one (RFC 9112, section 5.2): another program may see the framing that they hide
    (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: \r\n \r\n chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\r\n \r\n\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length:\r\n 10\r\n\r\n" + JOB, 400),
    (POST + b"Content-Length: 1\r\n 0\r\n\r\n" + JOB, 400),
    (POST + b"X-A: 1\r\n Content-Length: 10\r\n\r\n" + JOB, 400),
    (b"GET /v1/jobs HTTP/1.1\r\n Content-Length: 10\r\n" + HOST + b"\r\n" + JOB, 400),
    (b"GET /v1/jobs HTTP/1.1\r\nHost:\r\n localhost\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"X-A: 1\r\n 2\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"X-A:\r\n " + b"a" * 9000 + b"\r\n\r\n", 400),
    # lines that are passed over, or end in another way
    (POST + b":nameless\r\nContent-Length: 0\r\n\r\n", 400),
    (POST + b"\0\0\r\nContent-Length: 0\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\n" + HOST + b"\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"\n", 400),
    (b"GET /v1/jobs HTTP/1.1\nHost: localhost\n\n", 400),
    (b"GET  /v1/jobs HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    # NUL and other control characters in values
    (POST + b"Transfer-Encoding: chunked\0x\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\0\0x\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: \0chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length: 0\x0010\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\0.evil\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\0\r\nX-A: 1\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\0\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"X-A: a\0b\r\n\r\n", 400),
    (b"GET /v1/jobs\0 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /v1/jobs\0x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"X-A: a\rb\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"X-A: a\x01b\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"X-A: a\x7f\r\n\r\n", 400),
    # what has only one value
    *[
        (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + name + b": a\r\n" + name.upper() + b": a\r\n\r\n", 400)
        for name in (
            b"Authorization", b"Content-Type", b"Idempotency-Key", b"If-Range", b"Last-Event-ID", b"Origin", b"Range", b"Referer",
            b"Sec-Fetch-Site", b"traceparent", b"X-Request-Id",
        )
    ],
    # expectations
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + b"Expect: 200-ok\r\n\r\n", 417),
    (POST + b"Expect: 100-continue, 200-ok\r\nContent-Length: 10\r\n\r\n" + JOB, 417),
    # hosts
    (b"GET /v1/jobs HTTP/1.1\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n", 400),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: localhost:80@evil.example\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: localhost, evil.example\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: localhost:http\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: 127.1\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: 0.0.0.0\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: [::1\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: ::1\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost: :8080\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.1\r\nHost:\r\n\r\n", 421),
    (b"GET /v1/jobs HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421),
    # targets
    (b"GET http://evil.example/v1/jobs HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET http://localhost/v1/jobs HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET v1/jobs HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET ?limit=1 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    (b"GET /v1/jobs?after=" + b"a" * 40000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    # versions and sizes
    (b"GET /v1/jobs HTTP/9.9\r\n" + HOST + b"\r\n", 505),
    (b"GET /v1/jobs HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    (b"GET /v1/jobs HTTP/0.9\r\n" + HOST + b"\r\n", 505),
    (b"GET /v1/jobs HTTP/1\r\n" + HOST + b"\r\n", 400),
    (b"GET /v1/jobs FTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + HOST + b"X-Long: " + b"a" * 40000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: 1\r\n" % i for i in range(5000)) + b"\r\n", 431),
    # not HTTP at all
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n", None),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", None),
    (b"hello\r\n\r\n", None),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
]  # fmt: skip
