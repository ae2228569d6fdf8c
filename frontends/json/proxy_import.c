/* The story: the entries are gathered, from the body itself or from the text of Home Assistant, in
 * which those of the domain "esphome" are translated. Each is held against the configuration's own
 * rules, alone; those that are there already, or twice in the list, are skipped.
 *
 * Failure modes: what a person wrote (proxies) is refused with pointers, since it can be mended;
 * what another program wrote is skipped entry by entry with a sentence, whatever it looks like. */
#include "proxy_import.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "ble/address.h"
#include "config/config.h"

#define NAME_MAX_SIZE 64
#define SHOWN_MAX     64 /* octets of a name that is no name */
#define PORT_STANDARD 6053

struct reading {
    struct proxy_import *import;
    proxy_import_known_fn *is_known;
    body_fault_fn *on_fault;
    void *user;
    bool is_faulty;
    json_t *taken;         /* the entries that are to be added, an array */
    json_t *names, *hosts; /* of these, as keys */
};

/* ---- what comes of an entry ---- */

static void skip(struct reading *r, const char *name, const char *detail)
{
    struct proxy_import *i = r->import;

    i->skipped = memory_resize(i->skipped, i->skipped_count + 1, sizeof *i->skipped);
    i->skipped[i->skipped_count++] =
            (struct proxy_import_skip){memory_copy_text(name), memory_copy_text(detail)};
}

static void fault(struct reading *r, const char *pointer, const char *detail)
{
    r->is_faulty = true;
    r->on_fault(r->user, pointer, detail);
}

static void add(struct reading *r, const char *name, const char *place, json_t *entry)
{
    struct proxy_import *i = r->import;

    i->added = memory_resize(i->added, i->added_count + 1, sizeof *i->added);
    i->added[i->added_count++] = memory_copy_text(name);
    (void) json_array_append(r->taken, entry);
    (void) json_object_set_new(r->names, name, json_true());
    (void) json_object_set_new(r->hosts, place, json_true());
}

/* ---- one entry ---- */

/* As the only proxy of a configuration; NULL: it is none, and *ret_faults say why. */
static struct config *parse_alone(json_t *entry, struct config_faults *ret_faults)
{
    static const char *const parts[] = {"core", NULL};
    json_t *document = json_object(), *entries = json_array();
    struct config *config;
    char *text;

    (void) json_array_append(entries, entry);
    (void) json_object_set_new(document, "proxies", entries);
    text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    config = config_parse(text, strlen(text), parts, ret_faults);
    explicit_bzero(text, strlen(text));
    free(text);
    return config;
}

/* "/proxies/0/port" of the one that was parsed alone, as the body has it. */
static void tell_faults(struct reading *r, size_t index, const struct config_faults *faults)
{
    static const char front[] = "/proxies/0";
    char pointer[128];

    for (size_t i = 0; i < faults->count; i++) {
        const char *rest = faults->items[i].pointer;

        if (strncmp(rest, front, strlen(front)) == 0)
            rest += strlen(front);
        (void) snprintf(pointer, sizeof pointer, "/proxies/%zu%.100s", index, rest);
        fault(r, pointer, faults->items[i].detail);
    }
}

/* Takes one that is valid, or skips it. */
static void consider(struct reading *r, json_t *entry, const struct config_proxy *proxy)
{
    const struct proxy_import_candidate candidate = {
            .name = proxy->name,
            .host = proxy->host,
            .port = proxy->port,
            .has_mac = proxy->has_mac,
            .mac = proxy->mac,
    };
    char detail[PROXY_IMPORT_DETAIL_SIZE], place[320];

    (void) snprintf(place, sizeof place, "%.300s %u", proxy->host, (unsigned) proxy->port);
    if (r->import->added_count == PROXY_IMPORT_MAX)
        skip(r, proxy->name, "there are too many");
    else if (json_object_get(r->names, proxy->name))
        skip(r, proxy->name, "another one of this import has that name");
    else if (json_object_get(r->hosts, place))
        skip(r, proxy->name, "another one of this import is at that host and port");
    else if (r->is_known(r->user, &candidate, detail))
        skip(r, proxy->name, detail);
    else
        add(r, proxy->name, place, entry);
}

static void read_entry(struct reading *r, size_t index, json_t *entry)
{
    struct config_faults faults = {0};
    struct config *config = parse_alone(entry, &faults);

    if (config)
        consider(r, entry, &config->proxies[0]);
    else
        tell_faults(r, index, &faults);
    config_free(config);
    config_faults_done(&faults);
}

/* ---- Home Assistant ---- */

static bool is_fit(char c, bool is_first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (!is_first && (c == '_' || c == '.' || c == '-'));
}

/* A name for people becomes one of ours: "Wohnzimmer (oben)" -> "Wohnzimmer--oben-". */
static void make_name(const char *text, char ret_name[NAME_MAX_SIZE + 1])
{
    size_t length = 0;

    for (; *text && length < NAME_MAX_SIZE; text++) {
        if (is_fit(*text, length == 0))
            ret_name[length++] = *text;
        else if (length > 0 && ((unsigned char) *text & 0xc0) != 0x80)
            ret_name[length++] = '-';
    }
    ret_name[length] = '\0';
}

/* NULL: it is none, or empty. */
static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && text[0] ? text : NULL;
}

static void set_text(json_t *entry, const char *key, const char *text)
{
    if (text)
        (void) json_object_set_new(entry, key, json_string(text));
}

static json_t *translate(const json_t *theirs, const char *name)
{
    const json_t *data = json_object_get(theirs, "data"), *port = json_object_get(data, "port");
    const char *mac = text_of(theirs, "unique_id");
    json_t *entry = json_object();
    uint64_t address;

    set_text(entry, "name", name);
    set_text(entry, "host", text_of(data, "host"));
    if (json_is_integer(port) && json_integer_value(port) != PORT_STANDARD)
        (void) json_object_set_new(entry, "port", json_integer(json_integer_value(port)));
    if (mac && ble_address_parse(mac, &address))
        set_text(entry, "mac", mac);
    set_text(entry, "encryption_key", text_of(data, "noise_psk"));
    set_text(entry, "password", text_of(data, "password"));
    return entry;
}

/* Without what it says, which may be a key. */
static void skip_invalid(struct reading *r, const char *name, const struct config_faults *faults)
{
    const char *slash = strrchr(faults->items[0].pointer, '/');
    char detail[PROXY_IMPORT_DETAIL_SIZE];

    (void) snprintf(detail, sizeof detail, "%.40s: %.100s", slash ? slash + 1 : "",
                    faults->items[0].detail);
    skip(r, name, detail);
}

static void read_translated(struct reading *r, const char *name, json_t *entry)
{
    struct config_faults faults = {0};
    struct config *config = parse_alone(entry, &faults);

    if (config)
        consider(r, entry, &config->proxies[0]);
    else
        skip_invalid(r, name, &faults);
    config_free(config);
    config_faults_done(&faults);
}

static void read_their_entry(struct reading *r, const json_t *theirs)
{
    const json_t *data = json_object_get(theirs, "data");
    const char *domain = text_of(theirs, "domain"), *shown = text_of(data, "device_name");
    char name[NAME_MAX_SIZE + 1], cut[SHOWN_MAX + 1];
    json_t *entry;

    if (!domain || strcmp(domain, "esphome") != 0)
        return;
    if (!shown)
        shown = text_of(theirs, "title");
    make_name(shown ? shown : "", name);
    (void) snprintf(cut, sizeof cut, "%s", name);
    if (!text_of(data, "host")) {
        skip(r, cut, "Home Assistant knows no host for it (it is ignored there)");
        return;
    }
    if (text_of(theirs, "disabled_by")) {
        skip(r, cut, "it is disabled in Home Assistant");
        return;
    }
    if (!name[0])
        make_name(text_of(data, "host"), name);
    entry = translate(theirs, name);
    read_translated(r, name, entry);
    json_decref(entry);
}

static void read_home_assistant(struct reading *r, const json_t *text)
{
    json_t *document = json_loadb(json_string_value(text), json_string_length(text), 0, NULL);
    const json_t *entries = json_object_get(json_object_get(document, "data"), "entries"), *entry;
    size_t i;

    if (!json_is_array(entries))
        fault(r, "/home_assistant", "must be the text of Home Assistant's core.config_entries");
    json_array_foreach(entries, i, entry)
    {
        read_their_entry(r, entry);
    }
    json_decref(document);
}

/* ---- the body ---- */

static void check_fields(struct reading *r, const json_t *body)
{
    static const char *const known[] = {"proxies", "home_assistant", "dry_run"};
    const json_t *proxies = json_object_get(body, "proxies");
    const json_t *text = json_object_get(body, "home_assistant");
    const json_t *dry_run = json_object_get(body, "dry_run");
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        count += json_object_get(body, known[i]) != NULL;
    if (!json_is_object(body))
        fault(r, "", "must be an object");
    else if (count != json_object_size(body))
        fault(r, "", "has a field that is not known here");
    else if (!proxies == !text)
        fault(r, "", "must have either proxies or home_assistant");
    else if (proxies && !json_is_array(proxies))
        fault(r, "/proxies", "must be a list");
    else if (text && !json_is_string(text))
        fault(r, "/home_assistant", "must be a text");
    if (dry_run && !json_is_boolean(dry_run))
        fault(r, "/dry_run", "must be true or false");
    if (json_array_size(proxies) > PROXY_IMPORT_MAX)
        fault(r, "/proxies", "has too many entries");
}

static void read_fields(struct reading *r, const json_t *body)
{
    json_t *entry;
    size_t i;

    check_fields(r, body);
    if (r->is_faulty)
        return;
    r->import->is_dry_run = json_is_true(json_object_get(body, "dry_run"));
    json_array_foreach(json_object_get(body, "proxies"), i, entry)
    {
        read_entry(r, i, entry);
    }
    if (json_object_get(body, "home_assistant"))
        read_home_assistant(r, json_object_get(body, "home_assistant"));
}

static void set_patch(struct reading *r)
{
    if (json_array_size(r->taken) == 0)
        return;
    r->import->patch = json_dumps(r->taken, JSON_COMPACT);
    r->import->patch_size = strlen(r->import->patch);
}

int proxy_import_read(const void *octets, size_t size, proxy_import_known_fn *is_known,
                      body_fault_fn *on_fault, void *user, struct proxy_import *ret_import)
{
    json_t *body = json_loadb(octets, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    struct reading r = {.import = ret_import,
                        .is_known = is_known,
                        .on_fault = on_fault,
                        .user = user,
                        .taken = json_array(),
                        .names = json_object(),
                        .hosts = json_object()};

    *ret_import = (struct proxy_import){0};
    read_fields(&r, body);
    if (!r.is_faulty)
        set_patch(&r);
    json_decref(r.taken);
    json_decref(r.names);
    json_decref(r.hosts);
    json_decref(body);
    return r.is_faulty ? E_INVALID_REQUEST : 0;
}

void proxy_import_done(struct proxy_import *import)
{
    if (import->patch)
        explicit_bzero(import->patch, import->patch_size);
    free(import->patch);
    for (size_t i = 0; i < import->added_count; i++)
        free(import->added[i]);
    for (size_t i = 0; i < import->skipped_count; i++) {
        free(import->skipped[i].name);
        free(import->skipped[i].detail);
    }
    free(import->added);
    free(import->skipped);
    *import = (struct proxy_import){0};
}
