/* The configuration: one JSON file, checked as a whole, then an immutable value.
 *
 * Every setting is one row of CONFIG_SETTINGS: from it come the field of struct config, the parser,
 * the default, the range, the dump, the schema and the help. All faults of a file are found at
 * once, each with the JSON Pointer of the place. jansson stays inside this room. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"

#define CONFIG_FILE_MAX   (16u << 20) /* octets; a larger text is no configuration */
#define CONFIG_LISTEN_MAX 8           /* addresses that one setting may list */

struct config_address { /* "127.0.0.1:8080", "[::1]:8080", "localhost:8080" */
    char host[256];     /* without brackets */
    uint16_t port;      /* 0: any */
};

struct config_addresses {
    struct config_address items[CONFIG_LISTEN_MAX];
    size_t count;
};

struct config_texts {
    char **items;
    size_t count;
};

struct config_proxy {
    char *name; /* unique, [A-Za-z0-9][A-Za-z0-9_.-]{0,63} */
    char *host;
    uint16_t port;
    bool has_mac;
    uint64_t mac;
    bool is_encrypted;
    uint8_t encryption_key[32];
    char *password;  /* NULL: none */
    char *area;      /* NULL: none */
    char *scan_mode; /* "passive", "active", "auto"; NULL: scan.default_mode */
    bool is_enabled;
    double weight; /* dB */
};

struct config_device {
    uint64_t address;
    char *alias; /* NULL: none, like every text here */
    char *area;
    struct config_texts route_require, route_prefer, route_forbid; /* names of proxies */
    bool keep_connected;
    int64_t active_scan_interval_s; /* 0: no active_scan */
    int64_t active_scan_duration_s;
    double expected_interval_s; /* 0: none */
    char *bindkey, *irk;        /* secrets, as written */
    int publish;                /* 1, 0, or -1 for null */
    bool clear_cccd_on_stop;
};

struct config_identity {
    char *name;
    char *irk; /* a secret, as written: 16 octets in hex or base64 */
    bool has_address;
    uint64_t address;
    char *area;
};

struct config_area {
    char *name;
    int64_t min_rssi; /* dBm; INT64_MIN: null */
    struct config_texts neighbours;
};

struct config_matter_server {
    char *url; /* ws://… or wss://… */
    char *ca;
    char *authorization; /* a secret */
    int64_t max_links;
    bool reserve_slot;
};

struct config_override { /* a setting that the environment holds */
    const char *key;     /* "mqtt.host": static */
    char *variable;      /* "BLEFLEET_MQTT_HOST" */
};

struct config {
#define XX_FIELD_BOOL           bool
#define XX_FIELD_INT            int64_t
#define XX_FIELD_INT_OR_NULL    int64_t /* INT64_MIN: null */
#define XX_FIELD_NUM            double
#define XX_FIELD_TEXT           char *
#define XX_FIELD_TEXT_OR_NULL   char *
#define XX_FIELD_SECRET_OR_NULL char *
#define XX_FIELD_KEY_OR_NULL    char * /* 32 octets in base64, checked, as written */
#define XX_FIELD_ENUM           char *
#define XX_FIELD_ADDRESS        struct config_addresses /* exactly one */
#define XX_FIELD_ADDRESSES      struct config_addresses
#define XX_FIELD_TEXTS          struct config_texts
#define XX(type, field, key, standard, low, high, values, restart, part, help)                     \
    XX_FIELD_##type field;
    CONFIG_SETTINGS(XX)
#undef XX
    struct config_proxy *proxies;
    size_t proxies_count;
    struct config_device *devices;
    size_t devices_count;
    struct config_identity *identities;
    size_t identities_count;
    struct config_area *areas;
    size_t areas_count;
    struct config_matter_server *matter_servers;
    size_t matter_servers_count;
    struct config_override *overrides; /* in the order of the table */
    size_t overrides_count;
    /* Variables of the environment that look like ours and name no setting. They have no effect. */
    struct config_texts unknown_variables;
    /* Settings that were set in the file or the environment and belong to a part that is not there
     * yet, as dotted keys
     * ("mqtt.enabled", "identities"). They are accepted and have no effect. */
    struct config_texts without_effect;
};

#define CONFIG_FAULTS_MAX 1000 /* beyond, one last line says how many more there are */
struct config_fault {
    char *pointer; /* JSON Pointer; "" is the whole document */
    char *detail;  /* a sentence; never holds a secret */
};
struct config_faults {
    struct config_fault *items;
    size_t count;
    size_t more; /* found beyond CONFIG_FAULTS_MAX */
};
void config_faults_done(struct config_faults *faults);

/* Parses and checks a whole text. parts: NULL-terminated names of the parts that exist ("core"),
 * and dotted keys of single settings that have their effect before their part does
 * ("scan.quiet_s"). Returns NULL when there are faults (at least one is then in *ret_faults; syntax
 * errors have line and column in the detail). */
struct config *config_parse(const char *text, size_t size, const char *const *parts,
                            struct config_faults *ret_faults);

/* The same under an environment ("NAME=value" texts, NULL at the end): BLEFLEET_ and the key in
 * capitals with _ for . overrides a single setting, not a list of texts or of objects. The value is
 * written as in the file, texts without quotes; an empty one is null where null is allowed. A
 * faulty value is a fault of the setting that names the variable. */
struct config *config_parse_under(const char *text, size_t size, const char *const *parts,
                                  char *const *environment, struct config_faults *ret_faults);

/* Parses the document with a merge patch (RFC 7396) applied to it, whose faults are told like those
 * of the document. */
struct config *config_parse_patched(const char *text, size_t size, const char *patch,
                                    size_t patch_size, const char *const *parts,
                                    struct config_faults *ret_faults);

void config_free(struct config *config); /* accepts NULL, wipes secrets */

/* Adds a fault when http.listen can be reached from other machines: for as long as there is no
 * access token, everybody there could do everything. */
void config_check_listen(const struct config *config, struct config_faults *faults);

/* What the settings that wait for a restart are now, a JSON text for each, in the order of the
 * table. Release with config_texts_done(). */
struct config_texts config_get_fixed(const struct config *config);
void config_texts_done(struct config_texts *texts);

/* Appends the pointers of those that are not what they were; before is as config_get_fixed() gave
 * it. */
void config_compare_fixed(const struct config_texts *before, const struct config *now,
                          struct config_texts *ret_pointers);

/* The variable of the environment that holds the setting ("BLEFLEET_MQTT_HOST"), or NULL. Borrowed.
 */
const char *config_override(const struct config *config, const char *key);

/* The whole configuration as JSON text, all defaults filled in; release with free(). Without
 * secrets those that are set are "***"; with them the text gives the same configuration when it is
 * parsed, and the caller wipes it. What the environment holds is in it like everything else. */
char *config_dump(const struct config *config, bool with_secrets);

/* The settings of one section ("scan") as a JSON object; release with free(). */
char *config_dump_section(const struct config *config, const char *section, bool with_secrets);

/* The JSON Schema (2020-12) of the configuration, from the table; release with free(). */
char *config_schema_text(void);

/* ---- the table, for help, dump and schema ---- */

enum config_type {
    CONFIG_BOOL,
    CONFIG_INT,
    CONFIG_INT_OR_NULL,
    CONFIG_NUM,
    CONFIG_TEXT,
    CONFIG_TEXT_OR_NULL,
    CONFIG_SECRET_OR_NULL,
    CONFIG_KEY_OR_NULL,
    CONFIG_ENUM,
    CONFIG_ADDRESS,
    CONFIG_ADDRESSES,
    CONFIG_TEXTS,
};

struct config_setting {
    enum config_type type;
    const char *key;
    const char *standard; /* JSON text of the default */
    double low, high;     /* of numbers */
    const char *values;   /* of enums: "auto|5|3.1.1"; of texts: a rule by name, or NULL */
    bool needs_restart;
    const char *part;
    const char *help;
    size_t offset; /* in struct config */
};
const struct config_setting *config_settings(size_t *ret_count);
