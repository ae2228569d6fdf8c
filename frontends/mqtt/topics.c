#include "topics.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "ble/address.h"

#define ADDRESS_DIGITS 12

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/";

/* Addresses that stay: public, static random, and what a proxy resolved. */
static bool is_stable(const struct gateway_device *device)
{
    if (!device->address_type || strcmp(device->address_type, "random") != 0)
        return true;
    return !ble_address_is_private(device->address, BLE_ADDRESS_RANDOM);
}

/* The part of a topic behind "BASE/"; NULL: it is not below BASE. */
static const char *below(const char *base, const char *topic)
{
    size_t length = strlen(base);

    return strncmp(topic, base, length) == 0 && topic[length] == '/' ? topic + length + 1 : NULL;
}

/* As the configuration wants an alias. */
static bool may_be_name(const char *name, size_t size)
{
    size_t characters = utf8_count((const uint8_t *) name, size);

    if (size >= TOPICS_NAME_SIZE || characters < 1 || characters > 64 || memchr(name, '+', size) ||
        memchr(name, '#', size) || memchr(name, '$', size) || memchr(name, '/', size))
        return false;
    return !(size == 6 && memcmp(name, "bridge", 6) == 0) &&
           !(size == 14 && memcmp(name, "advertisements", 14) == 0);
}

bool topics_is_published(const struct config *config, const struct gateway_device *device)
{
    const char *policy = config->mqtt_devices;

    if (device->config && device->config->publish >= 0)
        return device->config->publish > 0;
    if (strcmp(policy, "all") == 0)
        return true;
    if (strcmp(policy, "stable") == 0)
        return is_stable(device) && !device->is_noise;
    return device->config != NULL; /* "configured"; "known" until something is decoded */
}

void topics_address_name(char ret_name[TOPICS_NAME_SIZE], uint64_t address)
{
    static const char digits[] = "0123456789ABCDEF";

    for (int i = 0; i < ADDRESS_DIGITS; i++)
        ret_name[i] = digits[address >> 4 * (ADDRESS_DIGITS - 1 - i) & 15];
    ret_name[ADDRESS_DIGITS] = '\0';
}

void topics_name(char ret_name[TOPICS_NAME_SIZE], const struct config *config,
                 const struct gateway_device *device)
{
    const char *alias = device->config ? device->config->alias : NULL;

    if (alias && strcmp(config->mqtt_topic_names, "alias") == 0 &&
        may_be_name(alias, strlen(alias)))
        (void) snprintf(ret_name, TOPICS_NAME_SIZE, "%s", alias);
    else
        topics_address_name(ret_name, device->address);
}

char *topics_join(const char *base, const char *first, const char *second)
{
    size_t second_size = second ? 1 + strlen(second) : 0;
    char *topic = xnew(char, strlen(base) + 1 + strlen(first) + second_size + 1);
    char *at = stpcpy(topic, base);

    *at++ = '/';
    at = stpcpy(at, first);
    if (second) {
        *at++ = '/';
        (void) stpcpy(at, second);
    }
    return topic;
}

bool topics_read_request(const char *base, const char *topic, char ret_verb[TOPICS_VERB_SIZE])
{
    const char *verb = below(base, topic);
    size_t size;

    verb = verb ? below("bridge/request", verb) : NULL;
    if (!verb)
        return false;
    size = strlen(verb);
    if (size < 1 || size >= TOPICS_VERB_SIZE || strspn(verb, letters) != size || verb[0] == '/' ||
        verb[size - 1] == '/')
        return false;
    memcpy(ret_verb, verb, size + 1);
    return true;
}

bool topics_read_availability(const char *base, const char *topic, char ret_name[TOPICS_NAME_SIZE])
{
    const char *name = below(base, topic), *slash = name ? strchr(name, '/') : NULL;
    size_t size;

    if (!slash || strcmp(slash, "/availability") != 0)
        return false;
    size = (size_t) (slash - name);
    if (!may_be_name(name, size))
        return false;
    memcpy(ret_name, name, size);
    ret_name[size] = '\0';
    return true;
}

bool topics_may_answer_to(const char *base, const char *topic)
{
    const char *ours = below(base, topic);
    size_t size = strlen(topic);

    if (size < 1 || size > TOPICS_SIZE_MAX || topic[0] == '$' || strpbrk(topic, "+#"))
        return false;
    if (strcmp(topic, base) == 0)
        return false;
    return !ours || below("bridge/response", ours) != NULL;
}
