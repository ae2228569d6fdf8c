#include "manifest.h"

#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "ble/address.h"

static void set_text(json_t *object, const char *key, const char *text)
{
    (void) json_object_set_new(object, key, text != NULL ? json_string(text) : json_null());
}

static void set_address(json_t *object, const char *key, uint64_t address)
{
    char text[BLE_ADDRESS_TEXT_SIZE];
    ble_address_format(text, address);
    set_text(object, key, text);
}

static const char *text_or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static json_t *endpoint(const struct station *station)
{
    const struct scenario_proxy *proxy = station_proxy(station);
    json_t *object = json_object();

    set_text(object, "name", proxy->name);
    set_text(object, "host", "127.0.0.1");
    (void) json_object_set_new(object, "port", json_integer(station_port(station)));
    return object;
}

static json_t *ready_entry(const struct station *station)
{
    const struct scenario_proxy *proxy = station_proxy(station);
    json_t *object = endpoint(station);
    char key[KEY_TEXT_SIZE];

    key_format(key, proxy->key);
    set_address(object, "mac", proxy->mac);
    set_address(object, "bluetooth_mac", proxy->mac + 2);
    set_text(object, "encryption_key", proxy->is_encrypted ? key : NULL);
    set_text(object, "password", text_or_null(proxy->password));
    set_text(object, "room", text_or_null(proxy->room));
    set_text(object, "profile", proxy->model.profile->name);
    return object;
}

static json_t *gateway_entry(const struct station *station)
{
    const struct scenario_proxy *proxy = station_proxy(station);
    json_t *object = endpoint(station);
    char key[KEY_TEXT_SIZE];

    key_format(key, proxy->key);
    if (proxy->is_encrypted)
        set_text(object, "encryption_key", key);
    if (proxy->password[0] != '\0')
        set_text(object, "password", proxy->password);
    if (proxy->room[0] != '\0')
        set_text(object, "area", proxy->room);
    return object;
}

static json_t *entries(const struct fleet *f, json_t *(*make_entry)(const struct station *) )
{
    json_t *list = json_array();
    for (size_t i = 0; i < fleet_station_count(f); i++)
        (void) json_array_append_new(list, make_entry(fleet_station(f, i)));
    return list;
}

/* Takes document over. */
static int write_whole(const char *path, json_t *document)
{
    char temporary[4096];
    int result = 0;

    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int) sizeof(temporary))
        result = -ENAMETOOLONG;
    else if (json_dump_file(document, temporary, JSON_INDENT(2)) != 0)
        result = errno != 0 ? -errno : -EIO;
    else if (rename(temporary, path) != 0)
        result = -errno;
    json_decref(document);
    return result;
}

int manifest_write_ready(const char *path, const struct fleet *f, const char *control)
{
    json_t *document = json_object();
    set_text(document, "control", control);
    (void) json_object_set_new(document, "proxies", entries(f, ready_entry));
    return write_whole(path, document);
}

int manifest_write_gateway(const char *path, const struct fleet *f, const char *listen)
{
    json_t *document = json_object();
    json_t *http = json_object();
    set_text(http, "listen", listen);
    (void) json_object_set_new(document, "http", http);
    (void) json_object_set_new(document, "proxies", entries(f, gateway_entry));
    return write_whole(path, document);
}
