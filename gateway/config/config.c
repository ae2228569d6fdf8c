/* The happy path: the text is JSON; all settings take their defaults; the document is walked down,
 * each key that has a row in the table is read by the reader of its type and each list by its own;
 * then the environment has its say; at the end come the rules that concern several settings at
 * once.
 *
 * Failure modes: a text that is no JSON is one fault with line and column. Anything else adds a
 * fault and goes on, so that one run shows all of them; then the half-read configuration is
 * released and NULL returned. A fault never quotes a secret, and nothing of the JSON library's own
 * message that might hold a piece of the text. */
#include "config.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "document.h"
#include "environment.h"
#include "fields.h"
#include "listen_address.h"
#include "lists.h"
#include "merge_patch.h"
#include "setting.h"
#include "values.h"

/* ---- the walk ---- */

struct walk {
    struct reading reading;
    struct lists lists;
    struct config *config;
};

static void set_defaults(struct config *config)
{
    const char *no_parts[] = {NULL};
    struct config_faults faults = {0};
    struct reading reading = {.faults = &faults, .parts = no_parts};
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < count; i++) {
        struct value v = {
                .reading = &reading,
                .json = json_loads(settings[i].standard, JSON_DECODE_ANY, /* error= */ NULL),
        };

        assert(v.json);
        setting_read(&settings[i], &v, config);
        json_decref(v.json);
    }
    assert(faults.count == 0);
}

/* path is that of the object around the unknown key, "" for the document. */
static void report_unknown(struct walk *walk, const char *path, const struct value *v)
{
    struct nearest nearest = {.wanted = v->at.key};
    size_t length = strlen(path);
    const char *key;

    if (!*path && setting_find(v->at.key)) {
        VALUE_FAULT(v, "is not a key; objects nest: \"http.listen\" is {\"http\":{\"listen\":…}}");
        return;
    }
    for (size_t i = 0; (key = document_key(i)); i++) {
        char name[DOCUMENT_KEY_SIZE];

        if (length && (strncmp(key, path, length) != 0 || key[length] != '.'))
            continue;
        key += length ? length + 1 : 0;
        (void) snprintf(name, sizeof(name), "%.*s", (int) strcspn(key, "."), key);
        nearest_consider(&nearest, name);
    }
    nearest_report(&nearest, &walk->reading, &v->at);
}

static void read_list(struct walk *walk, const struct list *list, const struct value *v)
{
    fields_note_effect(&walk->reading, list->part, list->key, /* key= */ NULL);
    if (json_is_array(v->json))
        lists_read(list, &walk->lists, v, walk->config);
    else
        value_is_not(v, "a list");
}

static void read_section(struct walk *walk, const struct value *object, const char *path)
{
    const char *key;
    json_t *json;

    if (!json_is_object(object->json)) {
        value_is_not(object, "an object");
        return;
    }
    json_object_foreach(object->json, key, json)
    {
        struct value v = {
                .reading = &walk->reading, .at = {.parent = &object->at, .key = key}, .json = json};
        const struct config_setting *setting;
        const struct list *list;
        char name[DOCUMENT_KEY_SIZE];
        int length = snprintf(name, sizeof(name), "%s%s%s", path, *path ? "." : "", key);

        setting = setting_find(name);
        list = lists_find(name);
        if (length >= (int) sizeof(name) || (!*path && strchr(key, '.')))
            report_unknown(walk, path, &v);
        else if (setting) {
            setting_read(setting, &v, walk->config);
            fields_note_effect(&walk->reading, setting->part, name, NULL);
        } else if (list)
            read_list(walk, list, &v);
        else if (document_is_section(name))
            read_section(walk, &v, name);
        else
            report_unknown(walk, path, &v);
    }
}

/* ---- rules that concern several settings ---- */

static void check_tls(const struct config *config, struct config_faults *faults)
{
    if (config->http_tls_cert && !config->http_tls_key)
        fault_list_add_key(faults, "http.tls.cert", "needs http.tls.key beside it");
    if (config->http_tls_key && !config->http_tls_cert)
        fault_list_add_key(faults, "http.tls.key", "needs http.tls.cert beside it");
}

static void check_esphome_listen(const struct config *config, struct config_faults *faults)
{
    static const char detail[] =
            "can be reached from other machines, and that needs an "
            "encryption_key beside it: set one (32 octets in base64), or listen "
            "at 127.0.0.1";

    if (config->esphome_single_enabled && !config->esphome_single_encryption_key &&
        !listen_address_is_loopback(config->esphome_single_listen.items[0].host))
        fault_list_add_key(faults, "esphome.single.listen", "%s", detail);
    if (config->esphome_mirror_enabled && !config->esphome_mirror_encryption_key &&
        !listen_address_is_loopback(config->esphome_mirror_address))
        fault_list_add_key(faults, "esphome.mirror.address", "%s", detail);
}

/* ---- the text ---- */

/* The library's message without what it quotes of the text: that may be a piece of a secret. */
static void report_syntax(const json_error_t *error, struct config_faults *faults)
{
    const struct place document = {0};
    char cause[JSON_ERROR_TEXT_LENGTH];
    const char *text = cause;
    char *quotation;

    (void) snprintf(cause, sizeof(cause), "%s", error->text);
    quotation = strstr(cause, " near ");
    if (quotation)
        *quotation = '\0';
    if (json_error_code(error) == json_error_duplicate_key)
        text = "a key stands twice in the same object";
    else if (json_error_code(error) == json_error_premature_end_of_input)
        text = "the text ends too early";
    fault_list_add(faults, &document, "is not JSON: line %d, column %d: %s", error->line,
                   error->column, text);
}

static json_t *parse_text(const char *text, size_t size, struct config_faults *faults)
{
    const struct place document = {0};
    size_t blank = 0;
    json_error_t error;
    json_t *json;

    while (blank < size && memchr(" \t\r\n", text[blank], 4))
        blank++;
    if (size > CONFIG_FILE_MAX)
        fault_list_add(faults, &document, "is larger than %u MiB", CONFIG_FILE_MAX >> 20);
    else if (blank == size)
        fault_list_add(faults, &document, "is empty; the shortest configuration is {}");
    else if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        fault_list_add(faults, &document,
                       "begins with a byte order mark: save it as UTF-8 without one");
    else if (memchr(text, '\0', size))
        fault_list_add(faults, &document, "holds a zero octet: it must be text in UTF-8");
    else {
        json = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
        if (!json)
            report_syntax(&error, faults);
        return json;
    }
    return NULL;
}

/* Takes the reference of the document; NULL: it was none. */
static struct config *read_document(json_t *json, const char *const *parts,
                                    char *const *environment, struct config_faults *ret_faults)
{
    struct walk walk = {.reading = {.faults = ret_faults, .parts = parts}};
    struct value document = {.reading = &walk.reading, .json = json};

    if (!document.json)
        return NULL;
    walk.config = xnew(struct config, 1);
    walk.reading.without_effect = &walk.config->without_effect;
    set_defaults(walk.config);
    read_section(&walk, &document, "");
    environment_read(environment, &walk.reading, walk.config);
    lists_check(&walk.lists, ret_faults);
    check_tls(walk.config, ret_faults);
    check_esphome_listen(walk.config, ret_faults);
    json_decref(document.json);
    if (ret_faults->count == 0)
        return walk.config;
    config_free(walk.config);
    return NULL;
}

/* ---- public ---- */

struct config *config_parse_under(const char *text, size_t size, const char *const *parts,
                                  char *const *environment, struct config_faults *ret_faults)
{
    *ret_faults = (struct config_faults){0};
    return read_document(parse_text(text, size, ret_faults), parts, environment, ret_faults);
}

struct config *config_parse_patched(const char *text, size_t size, const char *patch,
                                    size_t patch_size, const char *const *parts,
                                    struct config_faults *ret_faults)
{
    char *const no_environment[] = {NULL};
    json_t *document, *changes;

    *ret_faults = (struct config_faults){0};
    document = parse_text(text, size, ret_faults);
    changes = document ? parse_text(patch, patch_size, ret_faults) : NULL;
    if (!changes) {
        json_decref(document);
        return NULL;
    }
    merge_patch(document, changes);
    json_decref(changes);
    return read_document(document, parts, no_environment, ret_faults);
}

struct config *config_parse(const char *text, size_t size, const char *const *parts,
                            struct config_faults *ret_faults)
{
    char *const no_environment[] = {NULL};

    return config_parse_under(text, size, parts, no_environment, ret_faults);
}

void config_check_listen(const struct config *config, struct config_faults *faults)
{
    for (size_t i = 0; i < config->http_listen.count; i++) {
        if (listen_address_is_loopback(config->http_listen.items[i].host))
            continue;
        fault_list_add_key(
                faults, "http.listen",
                "%.80s can be reached from other machines, and without an access token "
                "everybody there could do everything: listen at 127.0.0.1, ::1 or localhost "
                "(and forward the port, for instance with ssh -L)",
                config->http_listen.items[i].host);
        return;
    }
}

void config_free(struct config *config)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    if (!config)
        return;
    for (size_t i = 0; i < count; i++)
        setting_release(&settings[i], config);
    lists_free(config);
    environment_free(config);
    value_free_texts(&config->without_effect);
    free(config);
}
