/* The table of settings: one row per setting, everything else derives from it.
 *
 * XX(type, field, key, standard, low, high, values, restart, part, help)
 *   type      see enum config_type of config.h
 *   field     in struct config: the key with underscores
 *   standard  JSON text of the default
 *   low, high range of numbers, both included; 0, 0 for all others
 *   values    of ENUM: the words, separated by "|"; of TEXT, TEXT_OR_NULL and TEXTS: the name of a
 *             rule of values.c, or NULL
 *   restart   takes effect at the next start only
 *   part      the part of the product that heeds it
 *
 * The lists proxies, devices, identities, areas and matter.servers hold objects: see lists.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* clang-format off */
#define CONFIG_SETTINGS(XX) \
    XX(ADDRESSES, http_listen, "http.listen", "\"127.0.0.1:8080\"", 0, 0, NULL, true, "core", \
       "where REST answers: address:port, or a list of them; port 0 is any") \
    XX(TEXTS, http_hosts, "http.hosts", "[]", 0, 0, "host", false, "core", \
       "further names accepted in Host and Origin") \
    XX(TEXT_OR_NULL, http_tls_cert, "http.tls.cert", "null", 0, 0, "path", true, "config", \
       "certificate chain, PEM; with http.tls.key") \
    XX(TEXT_OR_NULL, http_tls_key, "http.tls.key", "null", 0, 0, "path", true, "config", \
       "private key, PEM; with http.tls.cert") \
    XX(INT, http_session_s, "http.session_s", "2592000", 300, 31536000, NULL, false, "config", \
       "life of a sign-in") \
    XX(BOOL, mqtt_enabled, "mqtt.enabled", "false", 0, 0, NULL, false, "voices", \
       "speak to an MQTT broker") \
    XX(TEXT, mqtt_host, "mqtt.host", "\"127.0.0.1\"", 0, 0, "host", false, "voices", \
       "the broker") \
    XX(INT, mqtt_port, "mqtt.port", "1883", 1, 65535, NULL, false, "voices", \
       "port of the broker") \
    XX(TEXT_OR_NULL, mqtt_username, "mqtt.username", "null", 0, 0, NULL, false, "voices", \
       "name at the broker") \
    XX(SECRET_OR_NULL, mqtt_password, "mqtt.password", "null", 0, 0, NULL, false, "voices", \
       "password at the broker") \
    XX(TEXT_OR_NULL, mqtt_client_id, "mqtt.client_id", "null", 0, 0, NULL, false, "voices", \
       "null: blefleet- and 8 hex digits, kept") \
    XX(ENUM, mqtt_protocol, "mqtt.protocol", "\"auto\"", 0, 0, "auto|5|3.1.1", false, "voices", \
       "version of MQTT; auto: 5 when the broker speaks it") \
    XX(BOOL, mqtt_tls_enabled, "mqtt.tls.enabled", "false", 0, 0, NULL, false, "voices", \
       "TLS to the broker") \
    XX(TEXT_OR_NULL, mqtt_tls_ca, "mqtt.tls.ca", "null", 0, 0, "path", false, "voices", \
       "who signs for the broker, PEM; null: the system knows") \
    XX(TEXT_OR_NULL, mqtt_tls_cert, "mqtt.tls.cert", "null", 0, 0, "path", false, "voices", \
       "our certificate, PEM") \
    XX(TEXT_OR_NULL, mqtt_tls_key, "mqtt.tls.key", "null", 0, 0, "path", false, "voices", \
       "our private key, PEM") \
    XX(INT, mqtt_keepalive_s, "mqtt.keepalive_s", "30", 5, 3600, NULL, false, "voices", \
       "longest silence towards the broker") \
    XX(TEXT, mqtt_base_topic, "mqtt.base_topic", "\"blefleet\"", 0, 0, "topic", false, "voices", \
       "begin of all our topics") \
    XX(ENUM, mqtt_topic_names, "mqtt.topic_names", "\"address\"", \
       0, 0, "address|alias", false, "voices", \
       "what a device is called in topics") \
    XX(ENUM, mqtt_role, "mqtt.role", "\"control\"", 0, 0, "read|control|admin", false, "voices", \
       "the most that a request over MQTT may do") \
    XX(ENUM, mqtt_devices, "mqtt.devices", "\"stable\"", \
       0, 0, "stable|all|known|configured", false, "voices", \
       "which devices are published") \
    XX(NUM, mqtt_min_interval_s, "mqtt.min_interval_s", "1", 0, 3600, NULL, false, "voices", \
       "shortest time between two states of a device") \
    XX(NUM, mqtt_rssi_interval_s, "mqtt.rssi_interval_s", "60", 0, 3600, NULL, false, "voices", \
       "shortest time between two states for RSSI alone; 0: never") \
    XX(INT, mqtt_health_interval_s, "mqtt.health_interval_s", "60", \
       5, 3600, NULL, false, "voices", \
       "time between two messages of bridge/health") \
    XX(BOOL, mqtt_advertisements, "mqtt.advertisements", "false", 0, 0, NULL, false, "voices", \
       "publish the raw stream") \
    XX(BOOL, mqtt_homeassistant_enabled, "mqtt.homeassistant.enabled", "true", \
       0, 0, NULL, false, "home", \
       "discovery messages for Home Assistant") \
    XX(TEXT, mqtt_homeassistant_prefix, "mqtt.homeassistant.prefix", "\"homeassistant\"", \
       0, 0, "topic", false, "home", \
       "begin of the discovery topics") \
    XX(BOOL, mqtt_homeassistant_legacy_tracker, "mqtt.homeassistant.legacy_tracker", "true", \
       0, 0, NULL, false, "home", \
       "a state topic of trackers beside in_zones") \
    XX(BOOL, esphome_single_enabled, "esphome.single.enabled", "false", \
       0, 0, NULL, false, "mirror", \
       "the fleet as one ESPHome proxy") \
    XX(ADDRESS, esphome_single_listen, "esphome.single.listen", "\"127.0.0.1:6054\"", \
       0, 0, NULL, false, "mirror", \
       "where that proxy answers; port 0 is any") \
    XX(TEXT, esphome_single_name, "esphome.single.name", "\"blefleet\"", \
       0, 0, "esphome_name", false, "mirror", \
       "its name") \
    XX(KEY_OR_NULL, esphome_single_encryption_key, "esphome.single.encryption_key", "null", \
       0, 0, NULL, false, "mirror", \
       "32 octets in base64; needed off loopback") \
    XX(BOOL, esphome_mirror_enabled, "esphome.mirror.enabled", "false", \
       0, 0, NULL, false, "mirror", \
       "one ESPHome listener per proxy") \
    XX(TEXT, esphome_mirror_address, "esphome.mirror.address", "\"127.0.0.1\"", \
       0, 0, "host", false, "mirror", \
       "where those listen") \
    XX(INT, esphome_mirror_base_port, "esphome.mirror.base_port", "6100", \
       0, 65535, NULL, false, "mirror", \
       "port of the first, the others follow; 0 is any") \
    XX(KEY_OR_NULL, esphome_mirror_encryption_key, "esphome.mirror.encryption_key", "null", \
       0, 0, NULL, false, "mirror", \
       "32 octets in base64; needed off loopback") \
    XX(INT_OR_NULL, esphome_slot_quota, "esphome.slot_quota", "null", \
       1, 64, NULL, false, "mirror", \
       "slots that one client may hold; null: no limit") \
    XX(BOOL, discovery_mdns, "discovery.mdns", "true", 0, 0, NULL, false, "config", \
       "browse for proxies") \
    XX(BOOL, discovery_announce, "discovery.announce", "true", 0, 0, NULL, false, "mirror", \
       "announce the ESPHome frontend") \
    XX(BOOL, discovery_auto_adopt, "discovery.auto_adopt", "false", 0, 0, NULL, false, "config", \
       "add unencrypted proxies unasked") \
    XX(ENUM, scan_default_mode, "scan.default_mode", "\"auto\"", \
       0, 0, "passive|active|auto", false, "ears", \
       "scan mode of proxies that set none") \
    XX(BOOL, scan_apple_filter, "scan.apple_filter", "true", 0, 0, NULL, false, "core", \
       "drop the noise of Apple devices") \
    XX(INT, scan_quiet_s, "scan.quiet_s", "90", 30, 3600, NULL, false, "ears", \
       "a proxy silent for longer owns nothing") \
    XX(NUM, scan_ownership_margin_db, "scan.ownership.margin_db", "16", \
       0, 60, NULL, false, "ears", \
       "how much louder a new owner must be") \
    XX(NUM, scan_ownership_reclaim_db, "scan.ownership.reclaim_db", "6", \
       0, 60, NULL, false, "ears", \
       "how much more when it has just lost the device") \
    XX(NUM, scan_ownership_ewma_alpha, "scan.ownership.ewma_alpha", "0.3", \
       0.01, 1, NULL, false, "ears", \
       "weight of the newest RSSI in the smoothed one") \
    XX(INT, scan_ownership_strong_dbm, "scan.ownership.strong_dbm", "-70", \
       -127, 0, NULL, false, "ears", \
       "an owner this loud does not lose a device by roaming") \
    XX(INT, scan_ownership_stale_s, "scan.ownership.stale_s", "900", \
       10, 86400, NULL, false, "ears", \
       "silence that ends ownership while no interval is known") \
    XX(NUM, scan_ownership_roam_factor, "scan.ownership.roam_factor", "1.5", \
       1, 10, NULL, false, "ears", \
       "intervals of silence after which a weak owner may be followed") \
    XX(NUM, scan_ownership_gone_factor, "scan.ownership.gone_factor", "2.5", \
       1, 10, NULL, false, "ears", \
       "intervals of silence that end ownership") \
    XX(INT, scan_windows_coalesce_s, "scan.windows.coalesce_s", "40", 0, 300, NULL, false, "ears", \
       "needs due within this time share a window") \
    XX(NUM, scan_windows_confirm_s, "scan.windows.confirm_s", "2", 0.5, 30, NULL, false, "ears", \
       "time in which a proxy must report active and running") \
    XX(INT, scan_windows_retry_s, "scan.windows.retry_s", "30", 5, 600, NULL, false, "ears", \
       "time to the next try of a window that could not open") \
    XX(INT, scan_windows_budget_s, "scan.windows.budget_s", "900", 0, 3600, NULL, false, "ears", \
       "active seconds per proxy and hour; 0: no limit") \
    XX(INT, scan_windows_sweep_interval_s, "scan.windows.sweep_interval_s", "43200", \
       0, 604800, NULL, false, "ears", \
       "a proxy without a window for so long sweeps; 0: never") \
    XX(INT, scan_windows_sweep_first_s, "scan.windows.sweep_first_s", "240", \
       0, 86400, NULL, false, "ears", \
       "time to the first sweep of a proxy") \
    XX(INT, scan_windows_sweep_duration_s, "scan.windows.sweep_duration_s", "15", \
       5, 35, NULL, false, "ears", \
       "length of a sweep") \
    XX(INT, links_timeout_ms, "links.timeout_ms", "60000", 100, 600000, NULL, false, "links", \
       "whole time of a connect, queueing included") \
    XX(INT, links_attempt_timeout_ms, "links.attempt_timeout_ms", "20000", \
       1000, 60000, NULL, false, "links", \
       "time of one attempt") \
    XX(INT, links_attempts, "links.attempts", "4", 1, 20, NULL, false, "links", \
       "attempts of a connect") \
    XX(INT, links_queue_ms, "links.queue_ms", "5000", 0, 600000, NULL, false, "links", \
       "longest wait for a free slot") \
    XX(INT, links_lease_s, "links.lease_s", "60", 1, 3600, NULL, false, "links", \
       "life of a lease") \
    XX(INT, links_linger_ms, "links.linger_ms", "5000", 0, 600000, NULL, false, "links", \
       "a link stays open so long after its last lease") \
    XX(INT, links_queue_length, "links.queue_length", "256", 1, 10000, NULL, false, "links", \
       "waiting connects of the fleet") \
    XX(ENUM, links_scoring, "links.scoring", "\"blefleet\"", 0, 0, "blefleet|ha", false, "links", \
       "how the proxy of a link is chosen") \
    XX(INT, links_operations_queue, "links.operations_queue", "64", 1, 1024, NULL, false, "gatt", \
       "waiting operations per link") \
    XX(INT, links_gatt_timeout_ms, "links.gatt_timeout_ms", "30000", \
       100, 600000, NULL, false, "gatt", \
       "time of one GATT operation") \
    XX(INT, links_retry_attempts, "links.retry_attempts", "2", 1, 10, NULL, false, "gatt", \
       "tries of a GATT operation in all") \
    XX(INT, links_notify_queue, "links.notify_queue", "64", 1, 4096, NULL, false, "gatt", \
       "waiting notifications per subscription and reader") \
    XX(INT, links_cache_entries, "links.cache_entries", "4096", 0, 100000, NULL, false, "gatt", \
       "stored GATT trees") \
    XX(INT, limits_devices, "limits.devices", "50000", 100, 1000000, NULL, true, "core", \
       "rows of the device table; the oldest unconfigured goes first") \
    XX(INT, limits_forget_after_s, "limits.forget_after_s", "3600", \
       60, 604800, NULL, false, "core", \
       "a device is forgotten so long after its last packet, a value after the last with it") \
    XX(INT, limits_forget_private_after_s, "limits.forget_private_after_s", "900", \
       60, 604800, NULL, false, "core", \
       "the same for private addresses that nobody resolves") \
    XX(INT, limits_http_connections, "limits.http_connections", "1024", \
       16, 65536, NULL, true, "core", \
       "HTTP connections at once") \
    XX(INT, limits_body_bytes, "limits.body_bytes", "1048576", \
       1024, 67108864, NULL, false, "core", \
       "longest request body, but that of /restore") \
    XX(INT, limits_sse_clients, "limits.sse_clients", "64", 1, 1024, NULL, false, "voices", \
       "readers of event streams at once") \
    XX(INT, limits_sse_queue, "limits.sse_queue", "1024", 16, 65536, NULL, false, "voices", \
       "waiting events per reader") \
    XX(INT, limits_event_ring, "limits.event_ring", "4096", 0, 1000000, NULL, true, "voices", \
       "events kept for Last-Event-ID") \
    XX(INT, limits_history_mb, "limits.history_mb", "64", 0, 4096, NULL, true, "ears", \
       "memory of the history") \
    XX(INT, limits_recorder_mb, "limits.recorder_mb", "32", 0, 4096, NULL, true, "recorder", \
       "memory of the flight recorder") \
    XX(BOOL, recorder_enabled, "recorder.enabled", "true", 0, 0, NULL, false, "recorder", \
       "record the last hour of packets") \
    XX(INT, recorder_keep_s, "recorder.keep_s", "3600", 60, 604800, NULL, false, "recorder", \
       "how far back the recorder reaches") \
    XX(ENUM, log_level, "log.level", "\"info\"", 0, 0, "error|warning|info|debug", false, "core", \
       "what is less grave is not logged") \
    XX(ENUM, log_format, "log.format", "\"text\"", 0, 0, "text|json", false, "core", \
       "form of a log line") \
    XX(INT, log_ring, "log.ring", "1000", 0, 100000, NULL, true, "voices", \
       "lines kept for /logs") \
    XX(INT, log_audit_days, "log.audit_days", "30", 0, 3650, NULL, false, "config", \
       "days that the audit reaches back")
/* clang-format on */
