#include "routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/event_wish.h"
#include "rest/handlers.h"
#include "rest/handlers_accounts.h"
#include "rest/handlers_backup.h"
#include "rest/handlers_config.h"
#include "rest/handlers_discovered.h"
#include "rest/handlers_events.h"
#include "rest/handlers_gatt.h"
#include "rest/handlers_links.h"
#include "rest/handlers_past.h"
#include "rest/handlers_proxies.h"
#include "rest/handlers_recorder.h"
#include "rest/handlers_scan.h"
#include "rest/handlers_settings.h"
#include "rest/handlers_voices.h"
#include "rest/percent.h"

#define API "/api/v1"
#define ABSENT(method, path, role, part)                                                           \
    {                                                                                              \
        method, path, role, part, NULL, NULL, ROUTE_BODY_NONE, NULL                                \
    }

/* clang-format off */
static const struct route table[] = {
        {"GET", API "/info", REST_ROLE_READ, "core", handlers_info, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/openapi.json", REST_ROLE_NONE, "core", handlers_contract, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", "/healthz", REST_ROLE_NONE, "core", handlers_liveness, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", "/readyz", REST_ROLE_NONE, "core", handlers_readiness, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", "/metrics", REST_ROLE_READ, "voices", handlers_metrics, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/proxies", REST_ROLE_READ, "core", handlers_proxies, handlers_proxies_query, ROUTE_BODY_NONE, NULL},
        {"POST", API "/proxies", REST_ROLE_ADMIN, "config", handlers_add_proxy, NULL, ROUTE_BODY_JSON, handlers_proxy_settings},
        {"GET", API "/proxies/{name}", REST_ROLE_READ, "core", handlers_proxy, NULL, ROUTE_BODY_NONE, NULL},
        {"PATCH", API "/proxies/{name}", REST_ROLE_ADMIN, "config", handlers_patch_proxy, NULL, ROUTE_BODY_JSON, handlers_proxy_patch},
        {"DELETE", API "/proxies/{name}", REST_ROLE_ADMIN, "config", handlers_delete_proxy, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/proxies/discovered", REST_ROLE_READ, "config", handlers_discovered, handlers_discovered_query, ROUTE_BODY_NONE, NULL},
        {"POST", API "/proxies/import", REST_ROLE_ADMIN, "config", handlers_import_proxies, NULL, ROUTE_BODY_WHOLE, NULL},
        {"PUT", API "/proxies/{name}/scanner", REST_ROLE_CONTROL, "ears", handlers_set_scanner, NULL, ROUTE_BODY_JSON, handlers_scanner_mode},
        {"POST", API "/proxies/{name}/reconnect", REST_ROLE_CONTROL, "core", handlers_reconnect, NULL, ROUTE_BODY_JSON, NULL},
        {"DELETE", API "/proxies/{name}/slots/{address}", REST_ROLE_CONTROL, "links", handlers_free_slot, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/devices", REST_ROLE_READ, "core", handlers_devices, handlers_devices_query, ROUTE_BODY_NONE, NULL},
        {"GET", API "/devices/{address}", REST_ROLE_READ, "core", handlers_device, NULL, ROUTE_BODY_NONE, NULL},
        {"PATCH", API "/devices/{address}", REST_ROLE_CONTROL, "ears", handlers_patch_device, NULL, ROUTE_BODY_JSON, handlers_device_patch},
        {"DELETE", API "/devices/{address}", REST_ROLE_CONTROL, "ears", handlers_delete_device, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/devices/{address}/history", REST_ROLE_READ, "ears", handlers_history, handlers_history_query, ROUTE_BODY_NONE, NULL},
        {"POST", API "/devices/{address}/clear-history", REST_ROLE_CONTROL, "ears", handlers_clear_history, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/explain/{address}", REST_ROLE_READ, "ears", handlers_explain, handlers_explain_query, ROUTE_BODY_NONE, NULL},
        {"POST", API "/scan/discover", REST_ROLE_CONTROL, "ears", handlers_discover, NULL, ROUTE_BODY_JSON, handlers_discover_request},
        {"GET", API "/scan/windows", REST_ROLE_READ, "ears", handlers_windows, handlers_windows_query, ROUTE_BODY_NONE, NULL},
        {"POST", API "/scan/windows", REST_ROLE_CONTROL, "ears", handlers_open_windows, NULL, ROUTE_BODY_JSON, handlers_window_request},
        {"GET", API "/scan/needs", REST_ROLE_READ, "ears", handlers_needs, handlers_needs_query, ROUTE_BODY_NONE, NULL},
        {"PUT", API "/scan/needs/{address}", REST_ROLE_CONTROL, "ears", handlers_put_need, NULL, ROUTE_BODY_JSON, handlers_need_request},
        {"DELETE", API "/scan/needs/{address}", REST_ROLE_CONTROL, "ears", handlers_delete_need, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/events", REST_ROLE_READ, "voices", handlers_events, event_wish_rules, ROUTE_BODY_NONE, NULL},
        {"GET", API "/clients", REST_ROLE_READ, "voices", handlers_clients, handlers_clients_query, ROUTE_BODY_NONE, NULL},
        {"GET", API "/logs", REST_ROLE_READ, "voices", handlers_logs, handlers_logs_query, ROUTE_BODY_NONE, NULL},
        {"GET", API "/recorder", REST_ROLE_READ, "recorder", handlers_recorder, handlers_recorder_query, ROUTE_BODY_NONE, NULL},
        {"POST", API "/recorder/replay", REST_ROLE_CONTROL, "recorder", handlers_replay, NULL, ROUTE_BODY_JSON, handlers_replay_request},
        {"GET", API "/connections", REST_ROLE_READ, "links", handlers_links, handlers_links_query, ROUTE_BODY_NONE, NULL},
        {"POST", API "/connections/close-stale", REST_ROLE_CONTROL, "links", handlers_close_stale, NULL, ROUTE_BODY_NONE, NULL},
        {"PUT", API "/devices/{address}/connection", REST_ROLE_CONTROL, "links", handlers_connect, NULL, ROUTE_BODY_JSON, handlers_connect_request},
        {"GET", API "/devices/{address}/connection", REST_ROLE_READ, "links", handlers_link, handlers_link_query, ROUTE_BODY_NONE, NULL},
        {"DELETE", API "/devices/{address}/connection", REST_ROLE_CONTROL, "links", handlers_disconnect, handlers_disconnect_query, ROUTE_BODY_NONE, NULL},
        {"PUT", API "/devices/{address}/connection/parameters", REST_ROLE_CONTROL, "gatt", handlers_set_parameters, NULL, ROUTE_BODY_JSON, handlers_parameters_request},
        {"GET", API "/devices/{address}/services", REST_ROLE_READ, "gatt", handlers_services, handlers_services_query, ROUTE_BODY_NONE, NULL},
        {"GET", API "/devices/{address}/characteristics/{characteristic}", REST_ROLE_CONTROL, "gatt", handlers_read, handlers_read_query, ROUTE_BODY_NONE, NULL},
        {"PUT", API "/devices/{address}/characteristics/{characteristic}", REST_ROLE_CONTROL, "gatt", handlers_write, handlers_write_query, ROUTE_BODY_VALUE, handlers_write_request},
        {"GET", API "/devices/{address}/descriptors/{handle}", REST_ROLE_CONTROL, "gatt", handlers_read_descriptor, handlers_descriptor_query, ROUTE_BODY_NONE, NULL},
        {"PUT", API "/devices/{address}/descriptors/{handle}", REST_ROLE_CONTROL, "gatt", handlers_write_descriptor, handlers_descriptor_query, ROUTE_BODY_VALUE, handlers_write_request},
        {"PUT", API "/devices/{address}/characteristics/{characteristic}/subscription", REST_ROLE_CONTROL, "gatt", handlers_subscribe, NULL, ROUTE_BODY_JSON, handlers_subscribe_request},
        {"DELETE", API "/devices/{address}/characteristics/{characteristic}/subscription", REST_ROLE_CONTROL, "gatt", handlers_unsubscribe, handlers_unsubscribe_query, ROUTE_BODY_NONE, NULL},
        {"GET", API "/devices/{address}/notifications", REST_ROLE_READ, "gatt", handlers_notifications, handlers_notifications_query, ROUTE_BODY_NONE, NULL},
        {"POST", API "/devices/{address}/bond", REST_ROLE_CONTROL, "gatt", handlers_pair, NULL, ROUTE_BODY_JSON, handlers_pair_request},
        {"DELETE", API "/devices/{address}/bond", REST_ROLE_CONTROL, "gatt", handlers_unpair, handlers_unpair_query, ROUTE_BODY_NONE, NULL},
        {"DELETE", API "/devices/{address}/gatt-cache", REST_ROLE_CONTROL, "gatt", handlers_clear_cache, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/config", REST_ROLE_READ, "config", handlers_config, NULL, ROUTE_BODY_NONE, NULL},
        {"PUT", API "/config", REST_ROLE_ADMIN, "config", handlers_put_config, NULL, ROUTE_BODY_WHOLE, NULL},
        {"PATCH", API "/config", REST_ROLE_ADMIN, "config", handlers_patch_config, NULL, ROUTE_BODY_WHOLE, NULL},
        {"GET", API "/config/schema", REST_ROLE_READ, "config", handlers_config_schema, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/config/versions", REST_ROLE_READ, "config", handlers_config_versions, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/config/versions/{version}", REST_ROLE_READ, "config", handlers_config_version, NULL, ROUTE_BODY_NONE, NULL},
        {"POST", API "/config/versions/{version}/restore", REST_ROLE_ADMIN, "config", handlers_restore_config, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/session", REST_ROLE_NONE, "config", handlers_session, NULL, ROUTE_BODY_NONE, NULL},
        {"POST", API "/session", REST_ROLE_NONE, "config", handlers_sign_in, NULL, ROUTE_BODY_JSON, handlers_session_request},
        {"DELETE", API "/session", REST_ROLE_NONE, "config", handlers_sign_out, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/tokens", REST_ROLE_ADMIN, "config", handlers_tokens, handlers_tokens_query, ROUTE_BODY_NONE, NULL},
        {"POST", API "/tokens", REST_ROLE_ADMIN, "config", handlers_add_token, NULL, ROUTE_BODY_JSON, handlers_token_request},
        {"DELETE", API "/tokens/{name}", REST_ROLE_ADMIN, "config", handlers_remove_token, NULL, ROUTE_BODY_NONE, NULL},
        {"GET", API "/audit", REST_ROLE_ADMIN, "config", handlers_audit, handlers_audit_query, ROUTE_BODY_NONE, NULL},
        {"POST", API "/backup", REST_ROLE_ADMIN, "config", handlers_back_up, NULL, ROUTE_BODY_JSON, handlers_backup_request},
        {"POST", API "/restore", REST_ROLE_ADMIN, "config", handlers_restore, NULL, ROUTE_BODY_FILE, NULL},
        {"POST", API "/restart", REST_ROLE_ADMIN, "config", handlers_restart, NULL, ROUTE_BODY_NONE, NULL},
        ABSENT("GET", API "/identities", REST_ROLE_READ, "home"),
        ABSENT("POST", API "/identities", REST_ROLE_ADMIN, "home"),
        ABSENT("GET", API "/identities/{name}", REST_ROLE_READ, "home"),
        ABSENT("PATCH", API "/identities/{name}", REST_ROLE_ADMIN, "home"),
        ABSENT("DELETE", API "/identities/{name}", REST_ROLE_ADMIN, "home"),
        ABSENT("GET", API "/areas", REST_ROLE_READ, "home"),
        ABSENT("PUT", API "/areas", REST_ROLE_ADMIN, "home"),
        ABSENT("POST", API "/areas/{area}/calibration", REST_ROLE_ADMIN, "home"),
        ABSENT("GET", API "/decoders", REST_ROLE_READ, "home"),
        ABSENT("GET", API "/decoders/{name}", REST_ROLE_READ, "home"),
        ABSENT("PUT", API "/decoders/{name}", REST_ROLE_ADMIN, "home"),
        ABSENT("DELETE", API "/decoders/{name}", REST_ROLE_ADMIN, "home"),
        ABSENT("POST", API "/decoders/test", REST_ROLE_READ, "home"),
        ABSENT("GET", API "/matter/servers", REST_ROLE_READ, "matter"),
};
/* clang-format on */

struct text {
    const char *start;
    size_t size;
};

/* Takes the next segment with its slash from the front; false at the end. */
static bool next_segment(struct text *rest, struct text *ret_segment)
{
    const char *slash;

    if (rest->size == 0 || rest->start[0] != '/')
        return false;
    ret_segment->start = rest->start + 1;
    slash = memchr(rest->start + 1, '/', rest->size - 1);
    ret_segment->size = slash ? (size_t) (slash - rest->start) - 1 : rest->size - 1;
    rest->start += ret_segment->size + 1;
    rest->size -= ret_segment->size + 1;
    return true;
}

static bool is_parameter(const struct text *segment)
{
    return segment->size > 0 && segment->start[0] == '{';
}

static bool is_same(const char *text, size_t size, const struct text *segment)
{
    return size == segment->size && memcmp(text, segment->start, size) == 0;
}

/* Nearly no path is encoded where we have a literal, and this is asked for each row of the table.
 */
static bool is_literal(const struct text *segment, const struct text *wanted)
{
    char *decoded AUTO_FREE = NULL;

    if (!memchr(wanted->start, '%', wanted->size))
        return is_same(wanted->start, wanted->size, segment);
    decoded = percent_decode(wanted->start, wanted->size, false);
    return decoded && is_same(decoded, strlen(decoded), segment);
}

/* True when the path fits the template; *ret_literals is how many segments are literal from the
 * front. */
static bool fits(const char *template, struct text path, size_t *ret_literals)
{
    struct text rest = {template, strlen(template)}, segment, wanted;
    bool only_literals = true;
    size_t literals = 0;

    while (next_segment(&rest, &segment)) {
        if (!next_segment(&path, &wanted) || wanted.size == 0)
            return false;
        if (is_parameter(&segment))
            only_literals = false;
        else if (!is_literal(&segment, &wanted))
            return false;
        literals += only_literals;
    }
    *ret_literals = literals;
    return path.size == 0;
}

/* The template that the path means: of two that fit, the one that is literal for longer. */
static const char *find_path(struct text path)
{
    const char *best = NULL;
    size_t best_literals = 0, literals;

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (fits(table[i].path, path, &literals) && (!best || literals > best_literals)) {
            best = table[i].path;
            best_literals = literals;
        }
    }
    return best;
}

static bool read_parameters(struct route_match *match, const char *template, struct text path)
{
    struct text rest = {template, strlen(template)}, segment, wanted;
    size_t count = 0;

    while (next_segment(&rest, &segment) && next_segment(&path, &wanted)) {
        if (!is_parameter(&segment))
            continue;
        match->parameters[count] = percent_decode(wanted.start, wanted.size, false);
        if (!match->parameters[count++])
            return false;
    }
    return true;
}

/* The methods of the path that are there. */
static void list_methods(const char *path, char ret_allow[ROUTES_ALLOW_SIZE])
{
    size_t length = 0;

    ret_allow[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (!table[i].handle || strcmp(table[i].path, path) != 0)
            continue;
        length += (size_t) snprintf(ret_allow + length, ROUTES_ALLOW_SIZE - length, "%s%s%s",
                                    length > 0 ? ", " : "", table[i].method,
                                    strcmp(table[i].method, "GET") == 0 ? ", HEAD" : "");
    }
}

static const struct route *find_method(const char *path, const char *method)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (strcmp(table[i].path, path) == 0 && strcmp(table[i].method, method) == 0)
            return &table[i];
    }
    return NULL;
}

const struct route *routes_table(size_t *ret_count)
{
    *ret_count = ARRAY_SIZE(table);
    return table;
}

int routes_find(const char *method, const char *path, size_t path_size,
                struct route_match *ret_match)
{
    struct text text = {path, path_size};
    const char *template = find_path(text);

    *ret_match = (struct route_match){0};
    if (!template || !read_parameters(ret_match, template, text))
        return E_NOT_FOUND;
    ret_match->route = find_method(template, strcmp(method, "HEAD") == 0 ? "GET" : method);
    if (ret_match->route)
        return ret_match->route->handle ? 0 : E_NOT_FOUND;
    list_methods(template, ret_match->allow);
    return ret_match->allow[0] ? E_METHOD_NOT_ALLOWED : E_NOT_FOUND;
}

void route_match_done(struct route_match *match)
{
    for (size_t i = 0; i < ROUTES_PARAMETERS_MAX; i++)
        free(match->parameters[i]);
    *match = (struct route_match){0};
}
