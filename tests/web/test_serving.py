"""How the gateway serves the dashboard."""
import gzip
import re

FIRST_PAGE_MAX = 350 * 1024


def get(house, path, **headers):
    return house.gateway.request("GET", path, headers=headers)


def files_of_first_page(house):
    """The page, and what it names."""
    text = get(house, "/").body.decode()
    return ["/"] + ["/" + name for name in re.findall(r'(?:src|href)="(?:\./)?([^"]+)"', text)]


def test_the_page_comes_with_all_that_it_names_in_less_than_350_KB(house):
    answers = {path: get(house, path, **{"Accept-Encoding": "gzip"}) for path in files_of_first_page(house)}
    assert {answer.status for answer in answers.values()} == {200}
    assert len(answers) >= 3
    assert sum(len(answer.body) for answer in answers.values()) < FIRST_PAGE_MAX


def test_compressed_and_plain_are_the_same(house):
    for path in files_of_first_page(house):
        compressed = get(house, path, **{"Accept-Encoding": "gzip"})
        assert compressed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(compressed.body) == get(house, path).body


def test_files_with_a_hash_are_kept_for_ever_and_the_page_is_asked_about(house):
    for path in files_of_first_page(house):
        answer = get(house, path)
        wanted = "public, max-age=31536000, immutable" if path.startswith("/assets/") else "no-cache"
        assert answer.headers["Cache-Control"] == wanted
        again = get(house, path, **{"If-None-Match": answer.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")


def test_a_browser_may_run_nothing_but_files_of_ours(house):
    for path in ("/", "/api/v1/info", "/nowhere"):
        headers = get(house, path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_licences_of_what_is_in_the_page_come_with_it(house):
    text = get(house, "/licences.txt").body.decode()
    assert "Apache License" in text and "lit " in text


def test_there_is_no_way_to_other_files(house):
    for path in ("/index.html", "/devices", "/assets/", "/assets/../../etc/passwd", "/..%2f..%2fetc/passwd",
                 "//etc/passwd"):
        assert get(house, path).status == 404
    assert house.gateway.request("POST", "/").status == 404
