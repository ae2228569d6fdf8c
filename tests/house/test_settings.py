#!/usr/bin/env python3
"""Who heeds which setting while the program runs: every one that waits for no restart is read by somebody whenever it
counts, or handed over by gateway_reconfigure(), main.c or the runner of MQTT. Run it, or ctest -R house."""
import pathlib
import re
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]

# Begin of the field in struct config: where it is read. The longest begin that fits counts.
HEEDED = {
    "http_session_s": "gateway/accounting.c",  # at each sign-in
    "http_hosts": "frontends/http/exchange.c",  # at each request
    "mqtt_": "frontends/mqtt/mqtt.c",  # by a new frontend, which mqtt_runner begins
    "mqtt_enabled": "frontends/mqtt/mqtt_runner.c",
    "mqtt_client_id": "frontends/mqtt/mqtt_runner.c",
    "mqtt_devices": "frontends/mqtt/topics.c",  # at each device, and for all when a configuration comes
    "mqtt_topic_names": "frontends/mqtt/topics.c",
    "scan_default_mode": "gateway/scanning.c",  # scanning_configure()
    "scan_windows_": "gateway/scanning.c",
    "scan_apple_filter": "gateway/view.c",  # at each view of a device
    "scan_quiet_s": "gateway/table_settings.c",  # device_table_configure()
    "scan_ownership_": "gateway/table_settings.c",
    "links_timeout_ms": "gateway/gateway_links.c",  # at each request
    "links_attempt": "gateway/gateway_links.c",
    "links_queue_ms": "gateway/gateway_links.c",
    "links_lease_s": "gateway/gateway_links.c",
    "links_linger_ms": "gateway/linking.c",  # linking_configure()
    "links_queue_length": "gateway/linking.c",
    "links_scoring": "gateway/linking.c",
    "links_gatt_timeout_ms": "gateway/gateway_gatt.c",  # at each request
    "links_retry_attempts": "gateway/gateway_gatt.c",
    "links_operations_queue": "gateway/gatting.c",  # gatting_configure()
    "links_notify_queue": "gateway/gatting.c",
    "links_cache_entries": "gateway/gatting.c",
    "limits_forget_": "gateway/table_settings.c",
    "limits_body_bytes": "frontends/http/exchange.c",  # at each request; mqtt_runner looks at it too
    "limits_sse_": "frontends/rest/event_publisher.c",  # at each new reader
    "recorder_": "gateway/recordings.c",  # recordings_configure()
    "discovery_mdns": "gateway/discovering.c",  # discovering_configure()
    "discovery_auto_adopt": "gateway/adopting.c",
    "log_audit_days": "gateway/accounting.c",  # at each row, and each minute
    "log_level": "gateway/main.c",  # on_configuration()
    "log_format": "gateway/main.c",
}

ROW = re.compile(r'XX\(\w+, (\w+), "([\w.]+)",(?:[^"]|"(?:\\.|[^"\\])*")*?(true|false), "(\w+)"', re.S)


def rows():
    """(field, key, needs a restart, part) of each setting."""
    text = (TOP / "gateway/config/settings.h").read_text(encoding="utf-8")
    text = text[text.index("#define CONFIG_SETTINGS"):].replace("\\\n", "\n")
    return [(field, key, restart == "true", part) for field, key, restart, part in ROW.findall(text)]


def parts():
    """Names of the parts that are there, and of single settings that have their effect before their part."""
    text = (TOP / "frontends/json/info_json.c").read_text(encoding="utf-8")
    return re.findall(r'"([\w.]+)"', re.search(r"info_json_parts\[\] = \{(.*?)\}", text, re.S).group(1))


def place_of(field):
    begins = [begin for begin in HEEDED if field.startswith(begin)]
    return HEEDED[max(begins, key=len)] if begins else None


class Settings(unittest.TestCase):
    def test_the_table_is_read_whole(self):
        text = (TOP / "gateway/config/settings.h").read_text(encoding="utf-8")
        self.assertEqual(len(rows()), len(re.findall(r"^    XX\(", text, re.M)))

    def test_every_setting_that_needs_no_restart_is_heeded_somewhere(self):
        for field, key, needs_restart, part in rows():
            if needs_restart or not {part, key} & set(parts()):
                continue
            place = place_of(field)
            self.assertIsNotNone(place, f"{key}: who heeds it while the program runs?")
            text = (TOP / place).read_text(encoding="utf-8")
            self.assertRegex(text, rf"(->|\.){field}\b", f"{key} is not heeded in {place}")

    def test_every_begin_fits_a_setting(self):
        fields = [field for field, *_ in rows()]
        for begin in HEEDED:
            self.assertTrue(any(field.startswith(begin) for field in fields), begin)


if __name__ == "__main__":
    unittest.main()
