"""Starts and stops the built programs for demo, benches and tests; Python's standard library alone.

A program says that it is ready with a file, and that it ended with its exit code. Its output goes to a
log file in the folder it was given."""
import contextlib
import http.client
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

STOP_LIMIT_S = 5.0  # what the contract allows for a clean end


class ProgramFailed(Exception):
    pass


class Program:
    """A running program whose output goes to a log file."""

    process = log_path = None

    def log_text(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def tail(self, lines=15):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def is_running(self):
        return self.process.poll() is None

    def memory_bytes(self):
        """What it has in memory now."""
        pages = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        """How many it has open now."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_s(self):
        """Processor time that all of its threads have used so far, to the nanosecond."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # what clock_getcpuclockid() gives

    def pin(self, core):
        """Lets all of its threads run on one core alone."""
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            os.sched_setaffinity(int(task), {core})


class Asked(Program):
    """A program that says how it began, and answers each line that it is told, with a line of JSON."""

    def __init__(self, name, folder, command):
        self.name = name
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, text=True, start_new_session=True)
        self.ready = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise ProgramFailed(f"{self.name} ended with code {self.process.wait()}:\n{self.tail()}")
        return json.loads(line)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def stop(self, limit_s=20.0):
        """Ends its input; (exit code, seconds it took). Kills it when it does not end."""
        started = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        return self.process.returncode, time.monotonic() - started


class ReadyProgram(Program):
    """A running program with a ready file."""

    def __init__(self, name, folder, command, environment=None):
        self.name = name
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        self.ready_path = pathlib.Path(folder) / f"{name}.ready.json"
        self.ready_path.unlink(missing_ok=True)
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [*map(str, command), "--ready-file", str(self.ready_path)], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})},
            start_new_session=True)  # Ctrl-C is ours to pass on, in order

    def wait_ready(self, limit_s=30.0):
        """The content of the ready file."""
        end = time.monotonic() + limit_s
        while not self.ready_path.exists():
            code = self.process.poll()
            if code is not None:
                raise ProgramFailed(f"{self.name} ended with code {code}:\n{self.tail()}")
            if time.monotonic() > end:
                self.stop()
                raise ProgramFailed(f"{self.name} was not ready after {limit_s:g} s:\n{self.tail()}")
            time.sleep(0.01)
        return json.loads(self.ready_path.read_text(encoding="utf-8"))

    def stop(self, number=signal.SIGTERM, limit_s=20.0):
        """Asks it to end; (exit code, seconds it took). Kills it when it does not."""
        started = time.monotonic()
        if self.is_running():
            self.process.send_signal(number)
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        return self.process.returncode, time.monotonic() - started


class Simulator(ReadyProgram):
    """blefleet-sim on a scenario; writes the configuration of a gateway for it beside its log."""

    def __init__(self, bin_folder, folder, scenario, listen="127.0.0.1:0", seed=None):
        self.gateway_config = pathlib.Path(folder) / "gateway.json"
        command = [pathlib.Path(bin_folder) / "blefleet-sim", "--scenario", scenario,
                   "--gateway-config", self.gateway_config, "--gateway-listen", listen]
        super().__init__("sim", folder, command + (["--seed", str(seed)] if seed is not None else []))
        self.ready = self.wait_ready()
        self.proxies = {proxy["name"]: proxy for proxy in self.ready["proxies"]}
        host, port = self.ready["control"].rsplit(":", 1)
        self.connection = socket.create_connection((host, int(port)), timeout=20)
        self.lines = self.connection.makefile("rw", encoding="utf-8", newline="\n")

    def ask(self, **request):
        """One request at the control port."""
        self.lines.write(json.dumps(request) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        if "error" in answer:
            raise ProgramFailed(f"{request}: {answer['error']}")
        return answer

    def fault(self, proxy, fault, **more):
        return self.ask(do="fault", proxy=proxy, fault=fault, **more)

    def status(self):
        """{"proxies": {name: …}, "devices": {address: …}}"""
        answer = self.ask(do="status")
        return {"proxies": {proxy["name"]: proxy for proxy in answer["proxies"]},
                "devices": {device["address"]: device for device in answer["devices"]}}

    def stop(self, *arguments, **more):
        self.lines.close()
        self.connection.close()
        return super().stop(*arguments, **more)


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)


class Gateway(ReadyProgram):
    """blefleet with a configuration. `prefix` is a command that ends by becoming the one behind it."""

    def __init__(self, bin_folder, folder, config, log_level=None, environment=None, prefix=()):
        super().__init__("blefleet", folder,
                         [*prefix, pathlib.Path(bin_folder) / "blefleet", "--config", config,
                          "--data-dir", pathlib.Path(folder) / "data",
                          *(["--log-level", log_level] if log_level else [])], environment)
        self.ready = self.wait_ready()
        self.address = self.ready["http"]

    def request(self, method, path, body=None, headers=None, timeout_s=70):
        connection = http.client.HTTPConnection(self.address, timeout=timeout_s)
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # answered before it had the whole body
                connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, **more):
        """The JSON of a GET that must work."""
        answer = self.request("GET", path, **more)
        if answer.status != 200:
            raise ProgramFailed(f"GET {path}: {answer.status} {answer.body[:300]!r}")
        return answer.json()

    def items(self, path):
        """All items of a list, page by page."""
        items, cursor = [], None
        while True:
            page = self.get(path + ("&" if "?" in path else "?") + "limit=1000" +
                            (f"&cursor={cursor}" if cursor else ""))
            items += page["items"]
            cursor = page.get("next")
            if not cursor:
                return items

    def wait_for(self, condition, limit_s=20.0, what="it"):
        """Asks until the condition gives something true, and returns that."""
        end = time.monotonic() + limit_s
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > end:
                raise ProgramFailed(f"{what} did not happen in {limit_s:g} s; the log ends:\n{self.tail()}")
            time.sleep(0.05)

    def wait_online(self, count, limit_s=20.0):
        self.wait_for(lambda: sum(proxy["state"] == "online" for proxy in self.items("/api/v1/proxies"))
                      >= count, limit_s, f"{count} proxies online")

    def faults_in_log(self):
        """Lines of level error, and what sanitizers say."""
        return [line for line in self.log_text().splitlines()
                if line.split()[1:2] == ["error"] or "Sanitizer" in line or "runtime error" in line]


class Broker(Program):
    """A mosquitto of our own on a port of its own; what it retains is gone when it ends."""

    name = "mosquitto"

    def __init__(self, folder, port=None, settings=""):
        found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if not found:
            raise ProgramFailed("there is no mosquitto; on Debian: apt-get install mosquitto")
        self.port = port or free_port()
        self.log_path = pathlib.Path(folder) / "mosquitto.log"
        config = pathlib.Path(folder) / "mosquitto.conf"
        user = pwd.getpwuid(os.getuid()).pw_name  # else it would become "mosquitto" and not read its files
        config.write_text(f"user {user}\nlistener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
                          f"{settings}", encoding="utf-8")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([found, "-c", str(config)], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        self.wait_ready()

    def wait_ready(self, limit_s=10.0):
        end = time.monotonic() + limit_s
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.stop()
                    raise ProgramFailed(f"mosquitto does not listen: {self.tail()}") from error
            time.sleep(0.02)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        self.process.kill()  # a stopped one too
        self.process.wait()
        return 0, 0.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
