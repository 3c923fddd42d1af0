"""/docs: a page that needs nothing from elsewhere, and knows every code that an error can have."""

import base64
import hashlib
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]


def test_the_page_and_its_files(server):
    page = server.get("/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = page.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "form-action 'none'"):
        assert part in policy.split("; ")
    assert "unsafe" not in policy
    assert page.headers["X-Frame-Options"] == "DENY"
    html = page.body.decode()
    assert html == "".join((ROOT / "api/docs" / part).read_text() for part in ("head.html", "page.html"))
    linked = re.findall(r'(?:href|src)="(docs/[^"]+\.\w+)"', html)
    assert sorted(linked) == ["docs/page.css", "docs/page.js"]
    for name in linked:
        answer = server.get("/" + name)
        assert answer.status == 200 and answer.body.decode() == (ROOT / "api" / name).read_text()
    # nothing inline, which the policy forbids, and nothing from elsewhere
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", html)
    for text in (html, *(server.get("/" + name).body.decode() for name in linked)):
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "innerHTML" not in server.get("/docs/page.js").body.decode()


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_browser_gets_the_dashboard_and_others_a_list(server):
    page = server.get("/", headers=BROWSER)
    assert page.status == 200 and page.headers["Vary"].startswith("Accept")
    html = page.body.decode()
    assert "<title>denoised</title>" in html and not re.search(r"\sstyle=|\son\w+=", html)
    # the style in the page is the one that its policy names; no script is in it, and nothing is from elsewhere
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert "script-src 'self'" in policy and f"style-src 'self' 'sha256-{digest}'" in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)|https?://", html)
    linked = re.findall(r'(?:href|src)="(assets/[^"]+)"', html)
    assert set(linked) == {"assets/app.js", "assets/shared.js", "assets/icon.svg"}
    for name in {*linked, "assets/tables.js"}:  # which app.js loads when it shows a table
        answer = server.get("/" + name)
        assert answer.status == 200 and answer.body == (ROOT / "server/dashboard/built" / name.split("/")[1]).read_bytes()
        again = server.get("/" + name, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status == 304
    again = server.get("/", headers={**BROWSER, "If-None-Match": page.headers["ETag"]})
    assert again.status == 304 and "Content-Security-Policy" not in again.headers  # the page's own stays in force
    for accept in ("*/*", "application/json"):
        assert server.get("/", headers={"Accept": accept}).json["name"] == "denoised"


def test_the_links_of_the_dashboard_hold_below_a_base_path(start):
    server = start("--base-path", "/deep/denoised")
    answer = server.fetch("GET", "/deep/denoised", headers=BROWSER)
    assert answer.status == 308 and answer.headers["Location"] == "/deep/denoised/"
    assert b"assets/app.js" in server.fetch("GET", "/deep/denoised/", headers=BROWSER).body


def test_every_code_of_an_error_is_used(server):
    problems = server.get("/openapi.json").json["x-problems"]
    codes = [problem["code"] for problem in problems]
    rows = re.findall(r'^PROBLEM\(\s*(\w+), "(\w+)"', (ROOT / "server/base/problem_rows.h").read_text(), re.M)
    assert [code for _, code in rows] == codes and len(codes) == len(set(codes))
    assert [name.lower() for name, _ in rows] == codes
    sources = [*(ROOT / "api").rglob("*.c"), *(ROOT / "server").rglob("*.c")]
    used = set(re.findall(r"\bPROBLEM_(\w+)", "".join(path.read_text() for path in sources)))
    assert [name for name, _ in rows if name not in used] == [], "nothing answers with these"
    assert all(problem["description"].endswith(".") for problem in problems)
