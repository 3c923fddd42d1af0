"""Texts that are not JSON (RFC 8259), or too much of it, each sent as the body of POST /v1/jobs: 400 invalid_json."""

NOT_JSON = {
    "nothing but space": [b" ", b"\n", b"\t\r\n ", b"  \n\n  "],
    "other space": [b"\x0b{}", b"\x0c{}", b"{}\x0c", b"\xc2\xa0{}", b"{\x0b}", "\u2028{}", "{\u2003}", "{}\u200b", b"\x00{}"],
    "byte order marks": [b"\xef\xbb\xbf\xef\xbb\xbf{}", b"{}\xef\xbb\xbf", b"\xff\xfe{\x00}\x00", b"\xfe\xff\x00{\x00}", b"\xef\xbb\xbf"],
    "cut short": [
        "{", "[", '"', '{"', '{"seed', '{"seed"', '{"seed":', '{"seed":1', '{"seed":1,', '{"seed":1,"', "[1", "[1,", "[[", '["a"', '["a',
        '{"a":{', '{"a":[', '{"a":[1', '{"a":"', "t", "tru", "fals", "nul", "-", "1e", "1e+", "1.", '"\\', '"\\u', '"\\u12', '"\\u123',
    ],
    "too many ends": ["}", "]", "{}}", "[]]", '{"seed":1}}', "{]", "[}", '{"a":[}]', '{"a":{]}', "[1}", '{"a":1]', "(1)", "<1>"],
    "more than one": ["{}{}", "{} {}", "{},{}", "{}\n{}", "1 2", "[] []", "{}x", '{}""', "{};", "{}#", "{}//", "null null", "{}\x00", "{}0"],
    "commas": [
        "{,}", "[,]", "[1,]", "[,1]", "[1,,2]", '{"seed":1,}', '{,"seed":1}', '{"seed":1,,"name":"x"}', '{"seed":1 "name":"x"}', "[1 2]",
        "[1;2]", '{"a":1;"b":2}', ",", ",{}", "{},",
    ],
    "colons": ['{"seed"=1}', '{"seed" 1}', '{"seed"::1}', '{:1}', '{"seed":}', '{"a":1:2}', '["a":1]', ":", '{"seed"=>1}', '{"a","b"}'],
    "names": ["{seed:1}", "{'seed':1}", "{1:1}", "{null:1}", "{true:1}", "{[]:1}", "{{}:1}", '{"a"b:1}', "{`seed`:1}", '{"a""b":1}'],
    "words": [
        "True", "TRUE", "False", "None", "NULL", "Null", "nil", "undefined", "yes", "truee", "nulll", "tru e", "NaN", "-NaN", "nan", "Infinity",
        "-Infinity", "+Infinity", "inf", "-inf", '{"seed":NaN}', '{"seed":Infinity}', '{"seed":-Infinity}', '{"seed":undefined}', "[true false]",
    ],
    "numbers": [
        "01", "-01", "00", "-00", "+1", "+0", ".5", "-.5", "5.", "-5.", "1.e5", ".e5", "1e", "1e+", "1e-", "1E", "1ee5", "1e5.5", "1.5.5", "--1",
        "-+1", "- 1", "1_000", "1,000", "0x10", "0b1", "0o7", "1f", "1L", "1n", "\u0661", "\uff11", "1e\u0665", "-", "-a", "0.", "0e", "1/2", "1%",
        '{"seed":01}', '{"seed":1.}', '{"seed":.5}', '{"seed":+1}', '{"seed":1e}', '{"seed":0x10}', '{"seed":1 000}', '{"seed":--1}', '{"seed":1-}',
    ],
    "strings": [
        '"', "'a'", "`a`", '"a', 'a"', '"a"b"', '"""', "\u201ca\u201d", '{"name":"a\nb"}', '{"name":"a\tb"}', '{"name":"a\rb"}', b'{"name":"a\x00b"}',
        b'{"name":"a\x01b"}', b'{"name":"a\x1fb"}', b'{"na\x00me":"a"}', b'{"name":"a\x08b"}', b'{"name":"a\x1bb"}',
    ],
    "escapes": [
        '{"name":"\\x41"}', '{"name":"\\a"}', '{"name":"\\v"}', '{"name":"\\0"}', '{"name":"\\\'"}', '{"name":"\\ "}', '{"name":"\\\n"}', '{"name":"\\U0041"}',
        '{"name":"\\u"}', '{"name":"\\u004"}', '{"name":"\\u004g"}', '{"name":"\\u 041"}', '{"name":"\\u+041"}', '{"name":"\\u{41}"}', '{"name":"\\u0000"}',
        '{"name":"a\\u0000b"}', '{"na\\u0000me":"a"}', '{"name":"\\ud800"}', '{"name":"\\udc00"}', '{"name":"\\ud800\\ud800"}', '{"name":"\\udc00\\ud800"}',
        '{"name":"\\ud800x"}', '{"name":"\\ud800\\u0041"}', '{"name":"\\ud800\\n"}', '{"name":"\\uDFFF"}', '{"\\ud800":1}', '{"name":"\\',
    ],
    "UTF-8": [
        b'{"name":"\x80"}', b'{"name":"\xbf"}', b'{"name":"\xc3"}', b'{"name":"\xc3\x28"}', b'{"name":"\xc0\x80"}', b'{"name":"\xc0\xaf"}', b'{"name":"\xc1\xbf"}',
        b'{"name":"\xe0\x80\x80"}', b'{"name":"\xe0\x9f\xbf"}', b'{"name":"\xe2\x82"}', b'{"name":"\xe2\x28\xa1"}', b'{"name":"\xed\xa0\x80"}',
        b'{"name":"\xed\xbf\xbf"}', b'{"name":"\xf0\x80\x80\x80"}', b'{"name":"\xf0\x8f\xbf\xbf"}', b'{"name":"\xf0\x9f\x92"}', b'{"name":"\xf4\x90\x80\x80"}',
        b'{"name":"\xf5\x80\x80\x80"}', b'{"name":"\xf8\x88\x80\x80\x80"}', b'{"name":"\xfe"}', b'{"name":"\xff\xfe"}', b'{"na\xffme":"a"}', b'\xff{}', b'{}\xff',
        b'{"name":"\xe9"}', b'{"name":"gr\xfcn"}', b'{"name":"\xa4\xb0"}',
    ],
    "comments and dialects": [
        "{} // end", "// start\n{}", "/* a */ {}", "{/* a */}", '{"seed":1 /* a */}', "# yaml\nseed: 1", "seed: 1", "seed=1", "<seed>1</seed>", "---\nseed: 1",
        '{"seed":1n}', '{"seed":(1)}', '{"name":"a" + "b"}', '{"seed":1;}', "{...{}}", '{"seed":1}\n---\n', '{"name":"a"\n"b"}', "function(){}", '{"name":`a`}', "not json", "%7B%7D",
        "seed=1&name=x", '{"name":@"a"}', '{"name":r"a"}', '{"name":u"a"}', '{"a":1|2}', '$', '\\', '\\{}', '{"seed":$seed}', "{{}}", "[[1],[2]",
    ],
    "too deep": ["[" * 17 + "]" * 17, '{"a":' * 17 + "1" + "}" * 17, "[" * 1000 + "]" * 1000, '{"a":' * 5000 + "1" + "}" * 5000, "[" * 200000, '[{"a":' * 9 + "1" + "}]" * 9],
    "too many values": ["[" + "1," * 20000 + "1]", "[" + "[]," * 20000 + "[]]", "{" + ",".join(f'"k{i}":0' for i in range(20001)) + "}"],
}  # fmt: skip

# Texts that are JSON, however odd: a valid job, so 200 from ?validate_only=true.
JOBS = [
    "{}", "\ufeff{}", '\ufeff {"name":null}', '{"name":null}', " \t\r\n{ \n } \r\n", '{"seed":0}', '{"seed":-0}', '{"seed":-0.0}', '{"seed":5e0}', '{"seed":5E+0}', '{"seed":50e-1}', '{"seed":5.000}', '{"seed":0.5e1}', '{"seed":1e15}',
    '{"seed":9007199254740991}', '{"\\u0073eed":1}', '{"name":"\\u00e9\\n\\t\\"\\\\\\/\\r"}', '{"name":"\\ud83d\\ude00"}', '{"name":"\U0001f600"}',
    '{"name":"\ufffd"}', '{"name":"\u2028"}', '{"name":"/* no comment */"}', '{"training":{"learning_rate":1e-3,"epochs":1e1}}',
    '{"training":{"learning_rate":0.00100000000000000000000000000000000000000000000000000000000001}}', '{"name":"' + "x" * 100 + '"}',
]  # fmt: skip
