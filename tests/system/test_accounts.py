"""Who may do what: tokens, sessions, roles on every route and verb, wrong tokens, TLS, and the record of it."""
import http.client
import json
import os
import signal
import ssl
import subprocess
import time

import pytest
from conftest import BIN, house
from programs import Answer, Broker, Gateway
from test_mqtt import Watcher

KITCHEN = {"name": "kitchen", "at": [0, 0, 0], "encryption_key": True}
ROLES = ["none", "read", "control", "admin"]
API = "/api/v1"
OUTSIDE = ("/healthz", "/readyz", "/metrics")
ABSENT = "11:22:33:44:55:66"
VALUES = {"address": ABSENT, "name": "nobody", "area": "nowhere", "characteristic": "2a19", "handle": "3",
          "version": "1"}
ENDING = {"/restart"}  # with a role that may, it ends the gateway under the test
VERBS = {"connect": "control", "disconnect": "control", "services": "read", "read": "control", "write": "control",
         "read_descriptor": "control", "write_descriptor": "control", "subscribe": "control",
         "unsubscribe": "control", "pair": "control", "unpair": "control", "connection_params": "control",
         "clear_cache": "control", "scan": "control", "explain": "read", "device/options": "control",
         "device/remove": "control", "proxy/add": "admin", "proxy/options": "admin", "proxy/remove": "admin",
         "health_check": "read"}


class House:
    """A fleet and a gateway with tokens. Answers are held against the contract."""

    def __init__(self, pair):
        self.pair, self.gateway, self.secrets = pair, pair.gateway, {}

    def ask(self, method, path, token=None, body=None, cookie=None, source=None, headers=None, tls=None):
        """token: a name that has one, or what is sent as it is. Streams are not read to their end."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {self.secrets.get(token, token)}"
        if cookie is not None:
            sent["Cookie"] = f"other=1; blefleet_session={cookie}"
        if isinstance(body, dict):
            body = json.dumps(body)
        kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        more = {"context": tls} if tls else {}
        connection = kind(self.gateway.address, timeout=30, source_address=(source, 0) if source else None, **more)
        try:
            connection.request(method, path if path in OUTSIDE else API + path, body=body, headers=sent)
            response = connection.getresponse()
            is_stream = response.headers["Content-Type"] in ("text/event-stream", "application/x-ndjson")
            answer = Answer(response.status, response.headers, b"" if is_stream else response.read())
        finally:
            connection.close()
        kind = answer.headers["Content-Type"] or ""
        if not is_stream and method != "HEAD" and (kind.startswith("application/") and "json" in kind):
            self.pair.contract.hold(method, path if path in OUTSIDE else API + path, answer)
        return answer

    def make(self, name, role, by=None):
        answer = self.ask("POST", "/tokens", by, {"name": name, "role": role})
        assert answer.status == 201, answer.body
        assert answer.headers["Location"] == f"{API}/tokens/{name}"
        self.secrets[name] = answer.json()["token"]
        return self.secrets[name]

    def sign_in(self, token, source=None):
        """(the value of the cookie, the header that set it)"""
        answer = self.ask("POST", "/session", body={"token": self.secrets.get(token, token)}, source=source)
        assert answer.status == 200, answer.body
        header = answer.headers["Set-Cookie"]
        return header.split(";")[0].removeprefix("blefleet_session="), header

    def stream(self, **who):
        """An open stream of events."""
        headers = {"Authorization": f"Bearer {self.secrets[who['token']]}"} if "token" in who else {}
        if "cookie" in who:
            headers["Cookie"] = f"blefleet_session={who['cookie']}"
        connection = http.client.HTTPConnection(self.gateway.address, timeout=20)
        connection.request("GET", API + "/events", headers=headers)
        response = connection.getresponse()
        assert response.status == 200
        assert response.readline()  # retry: 3000
        return response

    def state(self):
        """What a change would change."""
        return {path: self.ask("GET", path, "admin").json()
                for path in ("/config", "/tokens", "/connections", "/scan/needs", "/scan/windows")}

    def audit(self, query="?limit=1000", by="admin"):
        answer = self.ask("GET", "/audit" + query, by)
        assert answer.status == 200, answer.body
        return answer.json()["items"]


def blefleet(*arguments, environment=None):
    return subprocess.run([BIN / "blefleet", *map(str, arguments)], capture_output=True, text=True, timeout=30,
                          env={**os.environ, **(environment or {})}, check=False)


@pytest.fixture
def home(start):
    return House(start(house([KITCHEN])))


@pytest.fixture
def roles(home):
    """With a token for each role, which has the role's name."""
    home.make("admin", "admin")
    home.make("control", "control", "admin")
    home.make("read", "read", "admin")
    return home


def operations(contract):
    for template, item in contract.document["paths"].items():
        for method in ("get", "put", "post", "patch", "delete"):
            if method in item:
                yield method.upper(), template, item[method]


def fill(template):
    for name, value in VALUES.items():
        template = template.replace(f"{{{name}}}", value)
    return template


def without_last_used(state):
    for token in state["/tokens"]["items"]:
        del token["last_used"]
    return state


@pytest.mark.parametrize("role", ROLES)
def test_every_route_asks_for_its_role(roles, role):
    before = without_last_used(roles.state())
    there = {part for part in roles.ask("GET", "/info", "admin").json()["parts"]}
    walked = 0
    for method, template, operation in operations(roles.pair.contract):
        needs = operation["x-role"]
        may = ROLES.index(role) >= ROLES.index(needs)
        if may and template in ENDING:
            continue
        answer = roles.ask(method, fill(template), None if role == "none" else role,
                           None if method in ("GET", "DELETE") else "{")
        what = f"{method} {template} as {role}: {answer.status} {answer.body[:200]}"
        if answer.status == 404 and b"part" in answer.body and not may:
            continue  # it is not there yet, for nobody
        if may and answer.status == 403:  # what it would have to do, for want of a known tree, asks for more
            needs = operation["x-role-when"][0]["role"]
            may = ROLES.index(role) >= ROLES.index(needs)
        assert (answer.status in (401, 403)) == (not may), what
        if not may:
            assert answer.status == (401 if role == "none" else 403), what
            if role == "none":
                assert answer.headers["WWW-Authenticate"] == "Bearer"
            else:
                assert answer.json()["needs_role"] == needs
        walked += operation["x-part"] in there
    assert walked > 50
    if role in ("none", "read"):
        assert without_last_used(roles.state()) == before


@pytest.mark.parametrize("role", ROLES[1:])
def test_every_verb_asks_for_its_role(tmp_path, start, role):
    broker = Broker(tmp_path)
    try:
        home = House(start(house([KITCHEN]), settings={"mqtt": {
            "enabled": True, "port": broker.port, "role": role, "client_id": "accounts"}}))
        home.make("admin", "admin")  # tokens are for HTTP: MQTT keeps its role
        before = without_last_used(home.state())
        watcher = Watcher(broker.port)
        watcher.wait("blefleet/bridge/state", lambda state: state == {"state": "online"})
        for verb, needs in VERBS.items():
            answer = watcher.ask(verb, address=ABSENT, characteristic="2a19", descriptor="3", name="nobody",
                                 unknown=1)
            may = ROLES.index(role) >= ROLES.index(needs)
            if answer.get("error", "").startswith("the part "):
                continue  # it is not there yet, for nobody
            assert (answer.get("code") == "forbidden") == (not may), f"{verb} as {role}: {answer}"
        for path in ("/tokens", "/session", "/tokens/admin"):
            for method in ("GET", "POST", "DELETE"):
                answer = watcher.ask("http", method=method, path=path, body={"name": "x", "role": "admin"})
                assert answer.get("code") == "forbidden" or answer["data"]["status_code"] == 405, \
                    f"{method} {path}: {answer}"
        watcher.stop()
        if role == "read":
            assert without_last_used(home.state()) == before
        refused = [entry for entry in home.audit() if entry["actor"] == "mqtt"]
        assert refused and all(entry["remote"] is None and entry["role"] == role for entry in refused)
        assert all(entry["action"].startswith("mqtt ") for entry in refused)
    finally:
        broker.stop()


def test_without_tokens_loopback_is_admin_and_the_first_token_ends_that(home):
    me = home.ask("GET", "/session").json()
    assert me == {"authenticated": True, "auth_required": False, "first_run": True, "name": None, "role": "admin",
                  "via": "loopback", "expires": None}
    stream = home.stream()
    refused = home.ask("POST", "/tokens", body={"name": "wall", "role": "read"})
    assert refused.status == 422 and refused.json()["errors"][0]["pointer"] == "/role"
    home.make("ops", "admin")
    stream.read()  # it ends
    assert home.ask("GET", "/info").status == 401
    me = home.ask("GET", "/session").json()
    assert (me["authenticated"], me["auth_required"], me["first_run"], me["role"]) == (False, True, False, None)
    assert home.ask("GET", "/info", "ops").status == 200
    assert home.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("body, pointers", [
    ({}, ["/name", "/role"]), ({"name": "a/b", "role": "read"}, ["/name"]), ({"name": "x", "role": "none"}, ["/role"]),
    ({"name": "import", "role": "read"}, ["/name"]), ({"name": "x" * 65, "role": "read"}, ["/name"]),
    ({"name": "x", "role": "read", "secret": "mine"}, ["/secret"]),
])
def test_what_a_new_token_must_not_be_is_named(roles, body, pointers):
    problem = roles.ask("POST", "/tokens", "admin", body)
    assert problem.status == 422
    assert [error["pointer"] for error in problem.json()["errors"]] == pointers


def test_tokens_are_listed_in_pages_and_never_with_secrets(roles):
    items, cursor = [], ""
    while cursor is not None:
        page = roles.ask("GET", "/tokens?limit=2" + (f"&cursor={cursor}" if cursor else ""), "admin").json()
        items += page["items"]
        cursor = page["next"]
    assert [(item["name"], item["role"], item["source"]) for item in items] == [
        ("admin", "admin", "store"), ("control", "control", "store"), ("read", "read", "store")]
    assert items[0]["last_used"] and items[0]["created"]
    assert roles.ask("GET", "/tokens?cursor=!", "admin").status == 400
    assert roles.ask("POST", "/tokens", "admin", {"name": "read", "role": "read"}).status == 409
    assert roles.ask("DELETE", "/tokens/nobody", "admin").status == 404
    last = roles.ask("DELETE", "/tokens/admin", "admin")
    assert last.status == 409 and last.json()["code"] == "conflict"


def test_a_removed_token_ends_its_sessions_and_streams_and_stays_removed_after_a_kill(roles, tmp_path):
    cookie, _ = roles.sign_in("read")
    streams = [roles.stream(token="read"), roles.stream(cookie=cookie)]
    other = roles.stream(token="control")
    assert roles.ask("DELETE", "/tokens/read", "admin").status == 204
    roles.gateway.process.kill()  # what was answered is on the disk
    for stream in streams:
        with pytest.raises((http.client.IncompleteRead, ConnectionError, StopIteration)):
            stream.read()
            raise StopIteration
    other.close()
    roles.gateway.process.wait()
    roles.pair.gateway = roles.gateway = Gateway(BIN, tmp_path / "0", roles.pair.sim.gateway_config)
    assert roles.ask("GET", "/info", "read").status == 401
    assert roles.ask("GET", "/info", cookie=cookie).status == 401
    assert roles.ask("GET", "/info", "control").status == 200


def test_a_removed_token_ends_its_streams_and_no_others(roles):
    cookie, _ = roles.sign_in("read")
    ending, signed_in, staying = roles.stream(token="read"), roles.stream(cookie=cookie), roles.stream(token="control")
    assert roles.ask("DELETE", "/tokens/read", "admin").status == 204
    ending.read()  # ends
    signed_in.read()
    assert roles.ask("GET", "/info", cookie=cookie).status == 401
    assert roles.ask("POST", "/proxies/kitchen/reconnect", "admin").status == 202
    assert b"event: proxy" in b"".join(staying.readline() for _ in range(4))
    staying.close()


def test_a_session_is_a_cookie_that_scripts_cannot_read(roles):
    cookie, header = roles.sign_in("control")
    parts = header.split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"} <= set(parts) and "Secure" not in parts
    me = roles.ask("GET", "/session", cookie=cookie).json()
    assert (me["name"], me["role"], me["via"]) == ("control", "control", "cookie") and me["expires"]
    assert roles.ask("GET", "/devices", cookie=cookie).status == 200
    assert roles.ask("GET", "/tokens", cookie=cookie).status == 403
    stream = roles.stream(cookie=cookie)
    out = roles.ask("DELETE", "/session", cookie=cookie)
    assert out.status == 204 and "Max-Age=0" in out.headers["Set-Cookie"]
    stream.read()  # ends with the session
    assert roles.ask("GET", "/devices", cookie=cookie).status == 401
    assert roles.ask("GET", "/session", cookie=cookie).json()["authenticated"] is False
    assert roles.ask("POST", "/session", body={"token": "blf_wrong"}).status == 401


def test_no_token_is_taken_from_a_url_or_by_another_scheme(roles):
    secret = roles.secrets["admin"]
    for query in (f"?token={secret}", f"?access_token={secret}", f"?authorization=Bearer%20{secret}"):
        assert roles.ask("GET", "/devices" + query).status == 401
    assert roles.ask("GET", "/devices", headers={"Authorization": f"Basic {secret}"}).status == 401
    assert roles.ask("GET", "/devices", headers={"Authorization": f"bearer  {secret}"}).status == 200


def test_sessions_and_tokens_outlive_a_restart(roles, tmp_path):
    cookie, _ = roles.sign_in("read")
    assert roles.gateway.stop()[0] == 0
    roles.pair.gateway = roles.gateway = Gateway(BIN, tmp_path / "0", roles.pair.sim.gateway_config)
    assert roles.ask("GET", "/info", cookie=cookie).status == 200
    assert roles.ask("GET", "/info", "admin").status == 200


def test_a_thousand_wrong_tokens_are_held_off_and_told_once(roles):
    cookie, _ = roles.sign_in("read")
    statuses = [roles.ask("GET", "/devices", f"blf_{number:043d}").status for number in range(1000)]
    assert statuses == [401] * 10 + [429] * 990
    held = roles.ask("GET", "/devices", "admin")
    assert held.status == 429 and 0 < held.json()["retry_after_s"] <= 60
    assert held.headers["Retry-After"] == str(held.json()["retry_after_s"])
    assert roles.ask("POST", "/session", body={"token": roles.secrets["admin"]}).status == 429
    assert roles.ask("GET", "/devices", cookie=cookie).status == 200  # a living session goes on
    assert roles.ask("GET", "/devices", "admin", source="127.0.0.2").status == 200  # and so does everybody else
    assert roles.ask("GET", "/healthz", "blf_wrong").status == 200
    assert roles.gateway.log_text().count("accounts.held_off") == 1
    entries = json.loads(roles.ask("GET", "/audit?limit=1000", "admin", source="127.0.0.2").body)["items"]
    refused = [entry for entry in entries if entry["status"] in (401, 429)]
    assert {entry["status"] for entry in refused} == {401, 429} and len(refused) <= 6
    assert all(entry["actor"] == "nobody" for entry in refused)


def test_a_page_of_somebody_else_can_do_nothing_with_our_cookie(roles):
    cookie, _ = roles.sign_in("admin")
    body = {"name": "theirs", "role": "admin"}
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
        assert roles.ask("POST", "/tokens", cookie=cookie, body=body, headers=headers).status == 403
        assert roles.ask("POST", "/session", body={"token": roles.secrets["admin"]}, headers=headers).status == 403
    assert roles.ask("GET", "/tokens", cookie=cookie, headers={"Host": "evil.example"}).status == 403
    own = {"Origin": f"http://{roles.gateway.address}"}
    assert roles.ask("POST", "/tokens", cookie=cookie, body=body, headers=own).status == 201
    assert roles.ask("GET", "/info", "admin").headers["Access-Control-Allow-Origin"] is None
    assert any(entry["status"] == 403 and entry["action"] == "POST /tokens" for entry in roles.audit())


def test_who_changed_what_is_told_newest_first(roles):
    assert roles.ask("PATCH", f"/devices/{ABSENT}", "control", {"settings": {"alias": "Lamp"}}).status == 200
    assert roles.ask("POST", "/proxies/kitchen/reconnect?force=1", "control").status in (400, 422)
    assert roles.ask("GET", "/devices", "read").status == 200
    assert roles.ask("PATCH", "/proxies/kitchen", "admin", {"weight": 3}).status == 200
    entries = roles.audit()
    assert entries[0]["changed"] == ["/proxies/0/weight"]
    times = [entry["time"] for entry in entries]
    assert times == sorted(times, reverse=True)
    patch = next(entry for entry in entries if entry["action"] == f"PATCH /devices/{ABSENT}")
    assert (patch["actor"], patch["role"], patch["status"]) == ("control", "control", 200)
    assert patch["remote"].startswith("127.0.0.1:")
    assert len(patch["changed"]) > 0 and "Lamp" not in json.dumps(entries)
    assert not any("?" in entry["action"] for entry in entries)
    assert not any(entry["action"] == "GET /devices" for entry in entries)  # who only reads is not noted
    first = next(entry for entry in entries[::-1] if entry["action"] == "POST /tokens")
    assert (first["actor"], first["role"]) == ("loopback", "admin")
    assert {entry["actor"] for entry in roles.audit("?actor=control")} == {"control"}
    assert roles.audit(f"?until={times[-1]}&limit=1000")[-1]["time"] == times[-1]
    page = roles.ask("GET", "/audit?limit=2", "admin").json()
    more = roles.ask("GET", f"/audit?limit=2&cursor={page['next']}", "admin").json()
    assert page["items"][-1]["time"] >= more["items"][0]["time"] and page["items"] != more["items"]
    assert roles.ask("GET", "/audit?since=yesterday", "admin").status in (400, 422)


def test_a_file_that_was_read_again_is_in_the_record(roles):
    path = roles.pair.sim.gateway_config
    config = json.loads(path.read_text(encoding="utf-8"))
    config.setdefault("http", {})["session_s"] = 301
    path.write_text(json.dumps(config), encoding="utf-8")
    roles.gateway.process.send_signal(signal.SIGHUP)
    roles.gateway.wait_for(lambda: roles.audit("?actor=signal"), 5.0, "the row")
    entry, = roles.audit("?actor=signal")
    assert (entry["action"], entry["changed"], entry["remote"]) == ("SIGHUP", ["/http/session_s"], None)


def test_the_record_outlives_a_restart(roles, tmp_path):
    before = roles.audit()
    assert roles.gateway.stop()[0] == 0
    roles.pair.gateway = roles.gateway = Gateway(BIN, tmp_path / "0", roles.pair.sim.gateway_config)
    after = roles.audit()
    assert after[-len(before):] == before


def test_without_days_nothing_is_noted(start):
    home = House(start(house([KITCHEN]), settings={"log": {"audit_days": 0}}))
    home.make("admin", "admin")
    assert home.audit() == []


def test_secrets_are_nowhere_but_in_the_one_answer(roles, tmp_path):
    cookie, _ = roles.sign_in("control")
    wrong = "blf_" + "w" * 43
    assert roles.ask("GET", "/devices", wrong).status == 401
    texts = [roles.ask("GET", path, "admin").body.decode()
             for path in ("/tokens", "/audit?limit=1000", "/logs?limit=1000", "/config", "/info", "/session", "/clients")]
    assert roles.gateway.stop()[0] == 0
    texts.append(roles.gateway.log_text())
    texts += [path.read_bytes().decode("latin1") for path in (tmp_path / "0" / "data").iterdir() if path.is_file()]
    for secret in (*roles.secrets.values(), cookie, wrong):
        assert not any(secret in text or secret.removeprefix("blf_") in text for text in texts)


def test_tokens_are_made_and_removed_beside_a_gateway_that_runs(roles, tmp_path):
    data = ("--data-dir", tmp_path / "0" / "data")
    made = blefleet("token", "add", "phone", "--role", "read", *data)
    secret = made.stdout.strip()
    assert made.returncode == 0 and secret.startswith("blf_") and len(secret) == 47
    assert "phone" in blefleet("token", "list", *data).stdout
    started = time.monotonic()
    roles.gateway.wait_for(lambda: roles.ask("GET", "/session", "admin").json()["authenticated"]
                           and "phone" in roles.ask("GET", "/tokens", "admin").body.decode(), 5.0, "the new token")
    assert roles.ask("GET", "/info", secret).status == 200
    stream = roles.stream(token="control")
    assert blefleet("token", "remove", "control", *data).returncode == 0
    stream.read()  # ends
    assert roles.ask("GET", "/info", "control").status == 401
    assert time.monotonic() - started < 15
    assert blefleet("token", "add", "phone", "--role", "read", *data).returncode == 1
    assert blefleet("token", "remove", "nobody", *data).returncode == 1


@pytest.mark.parametrize("arguments", [
    ("token",), ("token", "frob"), ("token", "add", "x"), ("token", "add", "x", "--role", "none"),
    ("token", "add", "a/b", "--role", "read"), ("token", "list", "x"), ("token", "remove"),
    ("token", "add", "x", "y", "z", "--role", "read"), ("token", "remove", "x", "--role", "read"),
])
def test_what_the_program_is_asked_wrongly_is_said(tmp_path, arguments):
    done = blefleet(*arguments, "--data-dir", tmp_path / "none")
    assert done.returncode == 1 and "usage:" in done.stderr and not (tmp_path / "none").exists()


def test_listening_to_the_world_needs_a_token(tmp_path):
    config = tmp_path / "gateway.json"
    config.write_text(json.dumps({"http": {"listen": "0.0.0.0:0"}}), encoding="utf-8")
    data = ("--config", config)
    refused = blefleet(*data)
    assert refused.returncode == 1 and "/http/listen:" in refused.stderr
    checked = blefleet(*data, "--check-config")
    assert checked.returncode == 1 and "/http/listen:" in checked.stdout
    assert blefleet("token", "add", "ops", "--role", "admin", *data).returncode == 0
    assert blefleet(*data, "--check-config").returncode == 0
    (tmp_path / "data").symlink_to(tmp_path / "blefleet.data")
    gateway = Gateway(BIN, tmp_path, config)
    try:
        assert gateway.request("GET", "/api/v1/info", headers={"Host": "localhost"}).status in (401, 403)
    finally:
        assert gateway.stop()[0] == 0
    removed = blefleet("token", "remove", "ops", *data)
    assert removed.returncode == 0 and "last token" in removed.stderr


def test_tokens_of_the_environment_are_read_again_and_cannot_be_deleted(start, tmp_path):
    file = tmp_path / "tokens"
    file.write_text("x" * 31, encoding="utf-8")
    config = tmp_path / "gateway.json"
    config.write_text("{}", encoding="utf-8")
    refused = blefleet("--config", config, environment={"BLEFLEET_TOKEN_FILE": str(file)})
    assert refused.returncode == 1 and "32 characters" in refused.stderr and "x" * 31 not in refused.stderr
    file.write_text("boss admin " + "b" * 40 + "\nwall read " + "w" * 40 + "\n", encoding="utf-8")
    home = House(start(house([KITCHEN]), environment={"BLEFLEET_TOKEN_FILE": str(file)}))
    tokens = home.ask("GET", "/tokens", "b" * 40).json()["items"]
    assert [(token["name"], token["source"], token["created"]) for token in tokens] == [
        ("boss", "environment", None), ("wall", "environment", None)]
    held = home.ask("DELETE", "/tokens/wall", "b" * 40)
    assert held.status == 409
    assert (held.json()["code"], held.json()["variable"]) == ("overridden", "BLEFLEET_TOKEN_FILE")
    file.write_text("n" * 40, encoding="utf-8")
    home.gateway.process.send_signal(signal.SIGHUP)
    home.gateway.wait_for(lambda: home.gateway.log_text().count("accounts.environment ") == 2, 5.0, "the new tokens")
    assert home.ask("GET", "/session", "n" * 40).json()["name"] == "env"
    assert home.ask("GET", "/info", "b" * 40).status == 401
    file.write_text("short", encoding="utf-8")
    home.gateway.process.send_signal(signal.SIGHUP)
    home.gateway.wait_for(lambda: "accounts.environment_unread" in home.gateway.log_text(), 5.0, "the warning")
    assert home.ask("GET", "/info", "n" * 40).status == 200
    data = b"".join(path.read_bytes() for path in (tmp_path / "0" / "data").iterdir() if path.is_file())
    assert b"n" * 40 not in data


def make_certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=IP:127.0.0.1,DNS:localhost", "-days", "2"], check=True, capture_output=True)


def trust(folder):
    return ssl.create_default_context(cafile=folder / "cert.pem")


def test_tls_shows_a_new_certificate_without_a_restart(start, tmp_path):
    make_certificate(tmp_path, "first")
    home = House(start(house([KITCHEN]), config_change=lambda config: config["http"].update(
        tls={"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")})))
    first = trust(tmp_path)
    home.secrets["ops"] = home.ask("POST", "/tokens", body={"name": "ops", "role": "admin"}, tls=first).json()["token"]
    header = home.ask("POST", "/session", body={"token": home.secrets["ops"]}, tls=first).headers["Set-Cookie"]
    assert header.endswith("; Secure")
    own = {"Origin": f"https://{home.gateway.address}"}
    assert home.ask("POST", "/proxies/kitchen/reconnect", "ops", tls=first, headers=own).status == 202
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):
        home.ask("GET", "/info", "ops", tls=old)
    with pytest.raises((OSError, http.client.HTTPException)):
        home.ask("GET", "/info", "ops")  # without TLS
    kept = http.client.HTTPSConnection(home.gateway.address, timeout=20, context=first)
    kept.request("GET", API + "/session")
    assert kept.getresponse().read()
    make_certificate(tmp_path, "second")
    home.gateway.process.send_signal(signal.SIGHUP)
    home.gateway.wait_for(lambda: "is shown from now on" in home.gateway.log_text(), 5.0, "the new certificate")
    second = trust(tmp_path)
    assert home.ask("GET", "/info", "ops", tls=second).status == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        home.ask("GET", "/info", "ops", tls=first)
    kept.request("GET", API + "/session")  # a connection of before goes on
    assert kept.getresponse().status == 200
    kept.close()
    good = (tmp_path / "key.pem").read_bytes()
    (tmp_path / "other").mkdir()
    make_certificate(tmp_path / "other", "third")
    (tmp_path / "key.pem").write_bytes((tmp_path / "other" / "key.pem").read_bytes())
    home.gateway.process.send_signal(signal.SIGHUP)
    home.gateway.wait_for(lambda: "http.certificate_unread" in home.gateway.log_text(), 5.0, "the warning")
    assert "is not the key of the certificate" in home.gateway.log_text()
    assert home.ask("GET", "/info", "ops", tls=second).status == 200
    assert good.splitlines()[1].decode() not in home.gateway.log_text()


@pytest.mark.parametrize("cert, key, named", [("none.pem", "key.pem", "none.pem"), ("cert.pem", "cert.pem", "cert.pem"),
                                              ("key.pem", "key.pem", "key.pem")])
def test_a_certificate_that_cannot_be_used_refuses_the_start(tmp_path, cert, key, named):
    make_certificate(tmp_path, "first")
    config = tmp_path / "gateway.json"
    config.write_text(json.dumps({"http": {"listen": "127.0.0.1:0", "tls": {
        "cert": str(tmp_path / cert), "key": str(tmp_path / key)}}}), encoding="utf-8")
    done = blefleet("--config", config)
    assert done.returncode == 2 and f"http.tls: {tmp_path / named}" in done.stderr
