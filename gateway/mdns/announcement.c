#include "announcement.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "ble/address.h"

/* Fits with its NUL, is UTF-8 and holds no control characters. */
static bool is_plain_text(const uint8_t *data, size_t size, size_t room)
{
    char repaired[UTF8_REPAIRED_SIZE(ANNOUNCEMENT_HOST_SIZE)];

    if (size == 0 || size >= room)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (data[i] < 0x20 || data[i] == 0x7f)
            return false;
    }
    return utf8_repair(repaired, data, size) == size && memcmp(repaired, data, size) == 0;
}

static bool take_text(char *ret_text, size_t room, const uint8_t *data, size_t size)
{
    if (!is_plain_text(data, size, room))
        return false;
    memcpy(ret_text, data, size);
    return true;
}

static bool take_name(char *ret_text, size_t room, const char *text)
{
    return text && take_text(ret_text, room, (const uint8_t *) text, strlen(text));
}

bool announcement_read(struct announcement_facts *ret_facts, const char *name, const char *host,
                       unsigned port)
{
    struct announcement_facts facts = {.port = port};

    *ret_facts = (struct announcement_facts){0};
    if (port == 0 || port > UINT16_MAX || !take_name(facts.name, sizeof facts.name, name) ||
        !take_name(facts.host, sizeof facts.host, host))
        return false;
    *ret_facts = facts;
    return true;
}

static void take_mac(struct announcement_facts *facts, const uint8_t *data, size_t size)
{
    char text[BLE_ADDRESS_TEXT_SIZE] = "";
    uint64_t mac;

    if (facts->mac == 0 && take_text(text, sizeof text, data, size) &&
        ble_address_parse(text, &mac))
        facts->mac = mac;
}

static void take_network(struct announcement_facts *facts, const uint8_t *data, size_t size)
{
    static const char *const known[] = {"wifi", "ethernet", "thread"};

    for (size_t i = 0; i < ARRAY_SIZE(known) && !facts->network[0]; i++) {
        if (size == strlen(known[i]) && memcmp(data, known[i], size) == 0)
            memcpy(facts->network, data, size);
    }
}

static void take_first(char *text, size_t room, const uint8_t *data, size_t size)
{
    if (!text[0])
        (void) take_text(text, room, data, size);
}

static bool is_key(const char *wanted, const uint8_t *key, size_t size)
{
    return size == strlen(wanted) && strncasecmp(wanted, (const char *) key, size) == 0;
}

/* That there is a key is said by being there, whatever the value (esphome-protocol 3). */
static void take_encryption(struct announcement_facts *facts, unsigned encryption)
{
    if (facts->encryption < encryption)
        facts->encryption = encryption;
}

void announcement_read_txt(struct announcement_facts *facts, const uint8_t *data, size_t size)
{
    const uint8_t *equals = size > 0 ? memchr(data, '=', size) : NULL;
    size_t key = equals ? (size_t) (equals - data) : size;
    const uint8_t *value = equals ? equals + 1 : data + size;
    size_t length = equals ? size - key - 1 : 0;

    if (is_key("mac", data, key))
        take_mac(facts, value, length);
    else if (is_key("friendly_name", data, key))
        take_first(facts->friendly_name, sizeof facts->friendly_name, value, length);
    else if (is_key("version", data, key))
        take_first(facts->version, sizeof facts->version, value, length);
    else if (is_key("platform", data, key))
        take_first(facts->platform, sizeof facts->platform, value, length);
    else if (is_key("board", data, key))
        take_first(facts->board, sizeof facts->board, value, length);
    else if (is_key("network", data, key))
        take_network(facts, value, length);
    else if (is_key("api_encryption", data, key))
        take_encryption(facts, ANNOUNCEMENT_ENCRYPTION_REQUIRED);
    else if (is_key("api_encryption_supported", data, key))
        take_encryption(facts, ANNOUNCEMENT_ENCRYPTION_SUPPORTED);
}

const char *announcement_encryption_name(unsigned encryption)
{
    static const char *const names[] = {"none", "supported", "required"};

    return names[encryption];
}

static bool is_link_local(const struct announcement_sighting *s)
{
    return s->is_v6 && s->octets[0] == 0xfe && (s->octets[1] & 0xc0) == 0x80;
}

unsigned announcement_address_rank(const struct announcement_sighting *s)
{
    return (unsigned) s->is_v6 + is_link_local(s);
}

void announcement_format_address(char ret_text[ANNOUNCEMENT_ADDRESS_TEXT],
                                 const struct announcement_sighting *s)
{
    char text[INET6_ADDRSTRLEN] = "";

    (void) inet_ntop(s->is_v6 ? AF_INET6 : AF_INET, s->octets, text, sizeof text);
    (void) snprintf(ret_text, ANNOUNCEMENT_ADDRESS_TEXT, "%s%s%s", text, s->zone[0] ? "%" : "",
                    s->zone);
}
