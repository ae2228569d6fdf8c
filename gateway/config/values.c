/* The readers. The happy path of each: the JSON type fits, the limits hold, the target is set.
 * Everything else is one sentence for the one who wrote the file. A secret is never quoted in it.
 * The way back cannot fail: what is stored was checked. */
#include "values.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ble/address.h"
#include "key.h"
#include "listen_address.h"

static const char *type_name(const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

void value_is_not(const struct value *v, const char *wanted)
{
    VALUE_FAULT(v, "must be %s%s, found %s", wanted, v->is_nullable ? " or null" : "",
                type_name(v->json));
}

static bool is_null(const struct value *v)
{
    return v->is_nullable && json_is_null(v->json);
}

static void set_text(char **target, const char *text)
{
    free(*target);
    *target = memory_copy_text(text);
}

static void set_secret(char **target, const char *text)
{
    value_free_secret(*target);
    *target = memory_copy_text(text);
}

/* ---- numbers ---- */

static bool is_in_range(const struct value *v, double number)
{
    if (number >= v->low && number <= v->high)
        return true;
    VALUE_FAULT(v, "must be %.15g to %.15g, found %.15g", v->low, v->high, number);
    return false;
}

void value_read_bool(const struct value *v, void *target)
{
    if (!json_is_boolean(v->json))
        value_is_not(v, "true or false");
    else
        *(bool *) target = json_is_true(v->json);
}

void value_read_int(const struct value *v, void *target)
{
    double number = json_number_value(v->json);

    if (is_null(v)) {
        *(int64_t *) target = INT64_MIN;
        return;
    }
    if (!json_is_number(v->json)) {
        value_is_not(v, "a whole number");
        return;
    }
    if (!is_in_range(v, number))
        return;
    if ((double) (int64_t) number != number) /* 5.0 is whole, as in a schema */
        VALUE_FAULT(v, "must be a whole number, found %.15g", number);
    else
        *(int64_t *) target = (int64_t) number;
}

void value_read_number(const struct value *v, void *target)
{
    if (is_null(v))
        *(double *) target = 0;
    else if (!json_is_number(v->json))
        value_is_not(v, "a number");
    else if (is_in_range(v, json_number_value(v->json)))
        *(double *) target = json_number_value(v->json);
}

/* ---- texts ---- */

static bool has_control_character(const char *text)
{
    for (; *text; text++) {
        if ((uint8_t) *text < ' ' || *text == 0x7f)
            return true;
    }
    return false;
}

/* The rules of texts: what is wrong, or NULL. */

static const char *check_host(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length > 255)
        return "must be a host name or an address";
    return strpbrk(text, " \t/") ? "must be a host name or an address, nothing else" : NULL;
}

static const char *check_path(const char *text)
{
    return *text ? NULL : "must be the name of a file";
}

static const char *check_topic(const char *text)
{
    return *text && !strpbrk(text, "+#") ? NULL : "must be a topic without + and #";
}

static const char *check_esphome_name(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return length >= 1 && length <= 31 && !text[length] ? NULL
                                                        : "must be 1 to 31 of a-z, 0-9 and -";
}

static const char *check_label(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t length = strlen(text);

    if (length < 1 || length > 64 || strspn(text, letters) == 0)
        return "must be a letter or digit, then at most 63 letters, digits, _, . or -";
    while (*text && (strchr(letters, *text) || strchr("_.-", *text)))
        text++;
    return *text ? "must be made of letters, digits, _, . and - alone" : NULL;
}

static const char *check_name(const char *text)
{
    if (strcmp(text, "discovered") == 0 || strcmp(text, "import") == 0 || strcmp(text, "test") == 0)
        return "is a reserved word (discovered, import, test): choose another name";
    return check_label(text);
}

static size_t count_characters(const char *utf8)
{
    size_t count = 0;

    for (; *utf8; utf8++)
        count += ((uint8_t) *utf8 & 0xc0) != 0x80;
    return count;
}

static const char *check_alias(const char *text)
{
    uint64_t unused;

    if (!*text || count_characters(text) > 64 || strpbrk(text, "/+#$"))
        return "must be 1 to 64 characters without / + # $";
    if (strcmp(text, "bridge") == 0 || strcmp(text, "advertisements") == 0)
        return "is a reserved word (bridge, advertisements): choose another name";
    return ble_address_parse(text, &unused) ? "must not look like the address of a device" : NULL;
}

static const char *check_websocket(const char *text)
{
    return strncmp(text, "ws://", 5) == 0 || strncmp(text, "wss://", 6) == 0
                   ? NULL
                   : "must begin with ws:// or wss://";
}

static const struct text_rule {
    const char *name;
    const char *(*check)(const char *text);
} text_rules[] = {
        {"host", check_host},   {"path", check_path},     {"topic", check_topic},
        {"alias", check_alias}, {"name", check_name},     {"esphome_name", check_esphome_name},
        {"label", check_label}, {"url", check_websocket},
};

static const char *find_fault_by_rule(const char *rule, const char *text)
{
    for (size_t i = 0; rule && i < ARRAY_SIZE(text_rules); i++) {
        if (strcmp(text_rules[i].name, rule) == 0)
            return text_rules[i].check(text);
    }
    return NULL;
}

const char *value_text(const struct value *v)
{
    const char *text = json_string_value(v->json);
    bool is_path = v->rule && strcmp(v->rule, "path") == 0;
    size_t most = is_path ? VALUE_PATH_MAX : VALUE_TEXT_MAX;
    const char *fault;

    if (!text) {
        value_is_not(v, "a string");
        return NULL;
    }
    if (strlen(text) > most) {
        VALUE_FAULT(v, "is longer than %zu octets", most);
        return NULL;
    }
    if (has_control_character(text)) {
        VALUE_FAULT(v, "holds a control character (a line end, a tab …)");
        return NULL;
    }
    fault = find_fault_by_rule(v->rule, text);
    if (fault)
        VALUE_FAULT(v, "%s; found \"%s\"", fault, quote(text).text);
    return fault ? NULL : text;
}

void value_read_text(const struct value *v, void *target)
{
    const char *text = is_null(v) ? NULL : value_text(v);

    if (text || is_null(v))
        set_text(target, text);
}

void value_read_texts(const struct value *v, void *target)
{
    struct config_texts *texts = target;

    if (!json_is_array(v->json)) {
        value_is_not(v, "a list");
        return;
    }
    value_free_texts(texts);
    for (size_t i = 0; i < json_array_size(v->json); i++) {
        const struct value item = {.reading = v->reading,
                                   .at = {.parent = &v->at, .index = i},
                                   .json = json_array_get(v->json, i),
                                   .rule = v->rule};
        const char *text = value_text(&item);

        if (text)
            value_append_text(texts, text);
    }
}

/* Whether text is one of "auto|5|3.1.1". */
static bool is_word_of(const char *words, const char *text)
{
    size_t length = strlen(text);

    for (const char *word = words; word; word = strchr(word, '|')) {
        word += *word == '|';
        if (strcspn(word, "|") == length && memcmp(word, text, length) == 0)
            return true;
    }
    return false;
}

void value_read_enum(const struct value *v, void *target)
{
    const char *text = json_string_value(v->json);
    char *words AUTO_FREE = memory_copy_text(v->rule);

    if (is_null(v) || (text && is_word_of(v->rule, text))) {
        set_text(target, text);
        return;
    }
    for (char *c = words; *c; c++)
        *c = *c == '|' ? ' ' : *c;
    if (text)
        VALUE_FAULT(v, "must be one of: %s; found \"%s\"", words, quote(text).text);
    else
        VALUE_FAULT(v, "must be one of: %s; found %s", words, type_name(v->json));
}

/* ---- secrets ---- */

const char *value_secret(const struct value *v)
{
    const char *text = json_string_value(v->json);

    if (!text) {
        value_is_not(v, "a string");
        return NULL;
    }
    if (strcmp(text, "***") == 0) {
        VALUE_FAULT(v, "is \"***\", which stands for a secret where it is shown: write the secret "
                       "itself");
        return NULL;
    }
    if (!*text || strlen(text) > VALUE_SECRET_MAX) {
        VALUE_FAULT(v, "must be 1 to %d octets long", VALUE_SECRET_MAX);
        return NULL;
    }
    return text;
}

void value_read_secret(const struct value *v, void *target)
{
    const char *text = is_null(v) ? NULL : value_secret(v);

    if (text || is_null(v))
        set_secret(target, text);
}

void value_read_key(const struct value *v, void *target)
{
    uint8_t key[32];
    const char *text = is_null(v) ? NULL : value_secret(v);

    if (is_null(v))
        set_secret(target, NULL);
    if (!text)
        return;
    if (key_from_base64(key, sizeof(key), text))
        set_secret(target, text);
    else
        VALUE_FAULT(v, "must be 32 octets in base64 (44 characters)");
    explicit_bzero(key, sizeof(key));
}

/* ---- addresses ---- */

static bool get_address(const struct value *v, struct config_address *ret_address)
{
    const char *text = json_string_value(v->json);

    if (!text)
        value_is_not(v, "a string like \"127.0.0.1:8080\"");
    else if (!listen_address_parse(text, ret_address))
        VALUE_FAULT(v, "must be address:port, like 127.0.0.1:8080 or [::1]:8080; found \"%s\"",
                    quote(text).text);
    else
        return true;
    return false;
}

void value_read_address(const struct value *v, void *target)
{
    struct config_address address;

    if (get_address(v, &address))
        *(struct config_addresses *) target = (struct config_addresses){{address}, 1};
}

static bool is_listed(const struct config_addresses *list, const struct config_address *address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (address->port != 0 && list->items[i].port == address->port &&
            strcasecmp(list->items[i].host, address->host) == 0)
            return true;
    }
    return false;
}

void value_read_addresses(const struct value *v, void *target)
{
    struct config_addresses list = {0};

    if (!json_is_array(v->json)) {
        value_read_address(v, target);
        return;
    }
    if (json_array_size(v->json) < 1 || json_array_size(v->json) > CONFIG_LISTEN_MAX) {
        VALUE_FAULT(v, "must list 1 to %d addresses", CONFIG_LISTEN_MAX);
        return;
    }
    for (size_t i = 0; i < json_array_size(v->json); i++) {
        const struct value item = {.reading = v->reading,
                                   .at = {.parent = &v->at, .index = i},
                                   .json = json_array_get(v->json, i)};
        struct config_address address;

        if (!get_address(&item, &address))
            continue;
        if (is_listed(&list, &address))
            VALUE_FAULT(&item, "is listed twice");
        else
            list.items[list.count++] = address;
    }
    if (list.count)
        *(struct config_addresses *) target = list;
}

bool value_get_mac(const struct value *v, uint64_t *ret_address)
{
    const char *text = json_string_value(v->json);

    if (!text)
        value_is_not(v, "an address like \"A4:C1:38:12:AB:56\"");
    else if (!ble_address_parse(text, ret_address))
        VALUE_FAULT(v, "must be an address like A4:C1:38:12:AB:56; found \"%s\"", quote(text).text);
    else
        return true;
    return false;
}

void value_read(enum value_type type, const struct value *v, void *target)
{
    static value_reader *const readers[] = {
            [VALUE_BOOL] = value_read_bool,       [VALUE_INT] = value_read_int,
            [VALUE_NUMBER] = value_read_number,   [VALUE_TEXT] = value_read_text,
            [VALUE_ENUM] = value_read_enum,       [VALUE_SECRET] = value_read_secret,
            [VALUE_KEY] = value_read_key,         [VALUE_TEXTS] = value_read_texts,
            [VALUE_ADDRESS] = value_read_address, [VALUE_ADDRESSES] = value_read_addresses,
    };

    assert(type < ARRAY_SIZE(readers));
    readers[type](v, target);
}

/* ---- the way back ---- */

json_t *value_dump_text(const char *text)
{
    return text ? json_string(text) : json_null();
}

json_t *value_dump_secret(const char *secret, bool with_secrets)
{
    return value_dump_text(secret && !with_secrets ? "***" : secret);
}

json_t *value_dump_number(double number)
{
    if (number == (double) (json_int_t) number) /* all numbers here are small */
        return json_integer((json_int_t) number);
    return json_real(number);
}

static json_t *dump_int(int64_t number)
{
    return number == INT64_MIN ? json_null() : json_integer(number);
}

static json_t *dump_texts(const struct config_texts *texts)
{
    json_t *list = json_array();

    for (size_t i = 0; i < texts->count; i++)
        (void) json_array_append_new(list, json_string(texts->items[i]));
    return list;
}

static json_t *dump_address(const struct config_address *address)
{
    const char *format = strchr(address->host, ':') ? "[%s]:%d" : "%s:%d";

    return json_sprintf(format, address->host, address->port);
}

static json_t *dump_addresses(const struct config_addresses *addresses)
{
    json_t *list;

    if (addresses->count == 1)
        return dump_address(&addresses->items[0]);
    list = json_array();
    for (size_t i = 0; i < addresses->count; i++)
        (void) json_array_append_new(list, dump_address(&addresses->items[i]));
    return list;
}

json_t *value_dump(enum value_type type, const void *source, bool with_secrets)
{
    switch (type) {
    case VALUE_BOOL:
        return json_boolean(*(const bool *) source);
    case VALUE_INT:
        return dump_int(*(const int64_t *) source);
    case VALUE_NUMBER:
        return value_dump_number(*(const double *) source);
    case VALUE_TEXT:
    case VALUE_ENUM:
        return value_dump_text(*(char *const *) source);
    case VALUE_SECRET:
    case VALUE_KEY:
        return value_dump_secret(*(char *const *) source, with_secrets);
    case VALUE_TEXTS:
        return dump_texts(source);
    case VALUE_ADDRESS:
    case VALUE_ADDRESSES:
        return dump_addresses(source);
    case VALUE_MAC:
    case VALUE_OBJECT:
        break;
    }
    abort(); /* these have writers of their own: see struct field */
}

/* ---- storage ---- */

void value_free_secret(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void value_free_texts(struct config_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct config_texts){0};
}

void value_append_text(struct config_texts *texts, const char *text)
{
    if ((texts->count & (texts->count - 1)) == 0) /* grows at 0, 1, 2, 4, 8 … */
        texts->items = memory_resize(texts->items, texts->count ? 2 * texts->count : 1,
                                     sizeof(*texts->items));
    texts->items[texts->count++] = memory_copy_text(text);
}
