"""Requests as bytes on a fresh socket: framing that two programs could read differently, and requests that are no HTTP.

(bytes, status or None for no answer at all). What follows such a request must not be served as a second one. (libmicrohttpd passes over a header without a name
and over lines of NUL bytes; neither can hide a request.)
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
    (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 501),
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
