#!/usr/bin/env python3
"""The demo: a simulated house, and the gateway on it.

demo.py --bin FOLDER --scenario FILE --folder FOLDER [--listen ADDR:PORT] [--check]

Starts blefleet-sim, a broker and blefleet, says what to try, and shows one line of figures until Ctrl-C.
--check looks at everything for 20 s instead and exits 0 only if it was right."""
import argparse
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from programs import STOP_LIMIT_S, Broker, Gateway, ProgramFailed, Simulator  # noqa: E402

CHECK_S = 20.0
MEMORY_MAX = 64 << 20
NOISE_DB = 12   # how far the smoothed RSSI may stray from the mean of the simulation, both sides together
MARGIN_DB = 16  # an owner is kept until another is louder by so much (scan.ownership.margin_db)
LOUD_DBM = -80  # a device this loud somewhere must be in the list
STILL_S = 4.0   # … if it sends at least so often


def is_free(address):
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
    return True


def with_mqtt(config, broker):
    """The configuration that the simulator wrote, and the broker in it."""
    document = json.loads(config.read_text(encoding="utf-8"))
    document["mqtt"] = {"enabled": True, "port": broker.port}
    config.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return config


# ---- what one sees ----

def welcome(gateway, sim, broker, folder):
    base = f"http://{gateway.address}"
    api = f"{base}/api/v1"
    device = gateway.wait_for(lambda: gateway.items("/api/v1/devices"), what="the first device")[0]
    proxy = next(iter(sim.proxies))
    meter = next(device["address"] for device in sim.status()["devices"].values() if device["name"] == "bedroom meter")
    mqtt = f"-h 127.0.0.1 -p {broker.port}"
    print(f"""
blefleet hears a simulated house: {len(sim.proxies)} ESPHome proxies, {len(sim.status()["devices"])} Bluetooth devices.

  the dashboard                   {base}/
  the API                         {api}
  how it is                       curl -s {api}/info
  the proxies                     curl -s {api}/proxies
  the devices, loudest first      curl -s '{api}/devices?sort=-rssi&limit=5'
  one device, all that is known   curl -s {api}/devices/{device["address"]}
  listen for 5 s, actively        curl -s -X POST {api}/scan/discover --json '{{"duration_s":5}}'
  a name only told when asked     curl -s '{api}/devices?name=shy'      (there after that)
  windows of active scanning      curl -s '{api}/scan/windows?limit=3'
  connect to it for 30 s          curl -s -X PUT {api}/devices/{device["address"]}/connection --json '{{"lease_s":30,"purpose":"a try"}}'
  all links, who holds them       curl -s {api}/connections
  why it can be reached, or not   curl -s '{api}/explain/{device["address"]}?intent=connection'
  let it go                       curl -s -X DELETE {api}/devices/{device["address"]}/connection
  free what nobody holds          curl -s -X POST {api}/connections/close-stale
  a battery, in one request       curl -s {api}/devices/{meter}/characteristics/2a19
  what else it has                curl -s {api}/devices/{meter}/services
  the battery as it goes down     curl -sN '{api}/devices/{meter}/notifications?subscribe=2a19'
  wait for a name to appear       curl -s '{api}/devices?name=atc&wait_ms=10000'
  the contract                    curl -s {api}/openapi.json
  is it alive                     curl -s {base}/readyz
  what happens, as it happens     curl -sN '{api}/events?snapshot=true'
  every packet of one device      curl -sN '{api}/events?types=advertisement&mode=all&proxies=all&address={device["address"]}'
  figures for Prometheus          curl -s {base}/metrics

  all topics of MQTT              mosquitto_sub {mqtt} -v -t 'blefleet/#'
  one state of each device        mosquitto_sub {mqtt} -v -t 'blefleet/+' --retained-only -W 3
  what happens                    mosquitto_sub {mqtt} -t blefleet/bridge/event
  a battery over MQTT             mosquitto_rr {mqtt} -t blefleet/bridge/request/read -e blefleet/bridge/response/read -m '{{"address":"{meter}","characteristic":"2a19"}}'
  a question over MQTT            mosquitto_rr {mqtt} -t blefleet/bridge/request/http -e blefleet/bridge/response/http -m '{{"path":"/info"}}'

  break something                 echo '{{"do":"fault","proxy":"{proxy}","fault":"reboot","seconds":10}}' | curl -sm1 telnet://{sim.ready["control"]}
  the log of the gateway          tail -f {folder}/blefleet.log

Ctrl-C ends it.
""", flush=True)


def figures(gateway):
    info = gateway.get("/api/v1/info")
    return (f"proxies {info['counts']['proxies_online']}/{info['counts']['proxies']}   devices "
            f"{info['counts']['devices']}   adverts/s {info['adverts_per_s']:.0f}   up {info['uptime_s']} s")


def show(gateway, sim):
    """One line, renewed in place on a terminal, else one every 10 s."""
    is_terminal = sys.stdout.isatty()
    while gateway.is_running() and sim.is_running():
        text = figures(gateway)
        if is_terminal:
            print(f"\r{text}\033[K", end="", flush=True)
        else:
            print(text, flush=True)
        time.sleep(1 if is_terminal else 10)
    raise ProgramFailed("a program ended by itself:\n" + gateway.tail() + "\n" + sim.tail())


# ---- what must be right ----

class Check:
    """Collects what is wrong."""

    def __init__(self):
        self.faults = []

    def that(self, is_right, sentence):
        if not is_right:
            self.faults.append(sentence)
        return is_right


def payloads_of(scenario):
    """Every payload that may be on the air: whole, and the part that goes without a scan response."""
    document = json.loads(scenario.read_text(encoding="utf-8"))
    whole = {(payload["raw"] + part).lower() for device in document["devices"]
             for payload in [device.get("payload", {}), *device.get("payloads", [])] if "raw" in payload
             for part in ("", payload.get("scan_response", ""))}
    rows = (scenario.parent / document["payloads"]).read_text(encoding="utf-8").splitlines()
    whole |= {json.loads(row)["raw"] for row in rows}
    return whole | {advertising_part(raw) for raw in whole}


def advertising_part(raw):
    """The structures that fit into the 31 octets of a legacy advertisement."""
    end = 0
    while end < len(raw):
        following = end + 2 + 2 * int(raw[end:end + 2], 16)
        if following > 62 or following > len(raw):
            break
        end = following
    return raw[:end]


def check_proxies(check, gateway, sim):
    broken = {name for name, proxy in sim.status()["proxies"].items() if proxy["faults"]}
    proxies = gateway.items("/api/v1/proxies")
    check.that({proxy["name"] for proxy in proxies} == set(sim.proxies), "the list of proxies is another")
    for proxy in proxies:
        truth = sim.proxies[proxy["name"]]
        if proxy["name"] in broken or truth["profile"] == "none":
            continue
        if not check.that(proxy["state"] == "online", f"{proxy['name']} is {proxy['state']}"):
            continue
        check.that(proxy["mac"] == truth["mac"], f"{proxy['name']} has the MAC {proxy['mac']}")
        check.that(proxy["encrypted"] == bool(truth["encryption_key"]),
                   f"{proxy['name']}: encrypted is {proxy['encrypted']}")


def check_devices(check, gateway, sim, payloads):
    truth = sim.status()
    down = {name for name, proxy in truth["proxies"].items() if proxy["faults"]}
    listed = {device["address"]: device for device in gateway.items("/api/v1/devices")}
    moving = moving_devices(truth, sim)
    loud = 0
    for address, device in truth["devices"].items():
        heard = {name: rssi for name, rssi in device["mean_rssi"].items() if name not in down}
        best = max(heard.values())
        if best >= LOUD_DBM and device["interval_ms"] <= 1000 * STILL_S:
            loud += 1
            check.that(address in listed, f"{address} is not listed, though it is heard at {best:.0f} dBm")
        if address not in listed or address in moving or not listed[address]["available"]:
            continue
        owner = listed[address]["proxy"]
        if owner in heard and best >= LOUD_DBM:
            check.that(heard[owner] >= best - MARGIN_DB - NOISE_DB,
                       f"{address} belongs to {owner} ({heard[owner]:.0f} dBm), the best hears {best:.0f} dBm")
    for address, device in listed.items():
        check.that(address in truth["devices"], f"{address} is listed and does not exist")
        check.that(device["raw"] is None or device["raw"] in payloads,
                   f"{address} has a payload that nobody sent: {device['raw']}")
    check.that(loud > 0, "no device of the scenario is loud")
    check.that(any(device["raw"] for device in listed.values()), "no device shows its raw packet")


def moving_devices(before, sim):
    after = sim.status()["devices"]
    return {address for address, device in before["devices"].items()
            if address not in after or after[address]["at"] != device["at"]}


def sums(gateway, sim):
    sent = sum(proxy["advertisements_sent"] for proxy in sim.status()["proxies"].values())
    received = sum(proxy["advertisements_total"] for proxy in gateway.items("/api/v1/proxies"))
    return sent, received


def check_rate(check, gateway, before, seconds, sim):
    sent, received = (after - start for after, start in zip(sums(gateway, sim), before))
    rate = gateway.get("/api/v1/info")["adverts_per_s"]
    check.that(sent > 0, "the proxies sent nothing")
    check.that(0.9 * sent <= received <= 1.1 * sent, f"{sent} advertisements sent, {received} received")
    check.that(0.6 * sent / seconds <= rate <= 1.5 * sent / seconds,
               f"adverts_per_s is {rate:.0f}, the proxies sent {sent / seconds:.0f} a second")
    return rate


def retained(broker):
    """Every retained topic of ours with its content."""
    done = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "blefleet/#",
                           "--retained-only", "-W", "2", "-F", "%t %p"], capture_output=True, text=True, check=False)
    return {topic: json.loads(payload) for topic, payload in
            (line.split(" ", 1) for line in done.stdout.splitlines())}


def check_mqtt(check, gateway, sim, broker):
    topics = retained(broker)
    check.that(topics.get("blefleet/bridge/state") == {"state": "online"}, "MQTT: the state of the bridge is not online")
    check.that(len(topics.get("blefleet/bridge/proxies", [])) == len(sim.proxies), "MQTT: not all proxies are told")
    check.that("version" in topics.get("blefleet/bridge/info", {}), "MQTT: there is no info")
    devices = {topic.split("/")[1]: content for topic, content in topics.items()
               if topic.count("/") == 1 and not topic.startswith("blefleet/bridge")}
    listed = {device["address"] for device in gateway.items("/api/v1/devices")}
    check.that(len(devices) > 0, "MQTT: no device is published")
    for name, content in devices.items():
        check.that(content["address"].replace(":", "") == name, f"MQTT: {name} is {content['address']}")
        check.that(content["address"] in listed, f"MQTT: {name} is published and not listed")
        check.that(f"blefleet/{name}/availability" in topics, f"MQTT: {name} has no availability")


def check_mqtt_end(check, broker):
    check.that(retained(broker).get("blefleet/bridge/state") == {"state": "offline"},
               "MQTT: the bridge did not say goodbye")


def check_end(check, program):
    code, seconds = program.stop()
    check.that(code == 0, f"{program.name} ended with code {code}")
    check.that(seconds < STOP_LIMIT_S, f"{program.name} took {seconds:.1f} s to end")


def check_scanning(check, gateway):
    """A device that says its name in scan responses alone has one only after somebody has asked."""
    check.that(not gateway.items("/api/v1/devices?name=shy"), "the shy lamp has told its name unasked")
    answer = gateway.request("POST", "/api/v1/scan/discover", body='{"duration_s":5}')
    found = json.loads(answer.body)
    check.that(found.get("windows"), f"no window opened: {answer.status}")
    check.that("Shy lamp" in [device["name"] for device in found.get("items", [])],
               "the shy lamp has not told its name when it was asked")


def run_check(gateway, sim, broker, scenario):
    check = Check()
    payloads = payloads_of(scenario)
    gateway.wait_online(max(1, len(sim.proxies) - 2), limit_s=CHECK_S)
    began, before = time.monotonic(), sums(gateway, sim)
    time.sleep(CHECK_S)
    rate = check_rate(check, gateway, before, time.monotonic() - began, sim)
    check_proxies(check, gateway, sim)
    check_devices(check, gateway, sim, payloads)
    check_mqtt(check, gateway, sim, broker)
    check_scanning(check, gateway)
    memory = gateway.memory_bytes()
    check.that(memory < MEMORY_MAX, f"the gateway holds {memory >> 20} MiB")
    summary = figures(gateway)
    check_end(check, gateway)
    check_mqtt_end(check, broker)
    check_end(check, sim)
    for line in gateway.faults_in_log():
        check.that(False, f"the log says: {line}")
    print(f"{summary}   memory {memory / 1048576:.1f} MiB   {rate:.0f} adverts/s")
    for fault in check.faults:
        print(f"wrong: {fault}")
    print("the demo is right" if not check.faults else f"the demo is wrong in {len(check.faults)} points")
    return 1 if check.faults else 0


def main():
    parser = argparse.ArgumentParser(prog="./run demo")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--scenario", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--listen", default="127.0.0.1:8080", help="where the gateway answers")
    parser.add_argument("--check", action="store_true", help="look for 20 s whether all is right")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    listen = options.listen if not options.check and is_free(options.listen) else "127.0.0.1:0"
    sim = gateway = broker = None
    try:
        sim = Simulator(options.bin, options.folder, options.scenario, listen)
        broker = Broker(options.folder)
        gateway = Gateway(options.bin, options.folder, with_mqtt(sim.gateway_config, broker))
        if options.check:
            return run_check(gateway, sim, broker, options.scenario)
        welcome(gateway, sim, broker, options.folder)
        show(gateway, sim)
    except KeyboardInterrupt:
        print()
    except (ProgramFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        for program in (gateway, sim, broker):
            if program and program.process.returncode is None:
                program.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
