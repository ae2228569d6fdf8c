#include "node.h"

#include "base/memory.h"
#include "ble/address.h"

static void copy_text(char ret_copy[NODE_TEXT_SIZE], struct text text)
{
    size_t size = text.size < NODE_TEXT_SIZE - 1 ? text.size : NODE_TEXT_SIZE - 1;

    for (size_t i = 0; i < size; i++)
        ret_copy[i] = text.data[i] >= 0x20 && text.data[i] < 0x7f ? text.data[i] : '?';
    ret_copy[size] = '\0';
}

static bool parse_mac(struct text text, uint64_t *ret_mac)
{
    char copy[NODE_TEXT_SIZE];

    copy_text(copy, text);
    return ble_address_parse(copy, ret_mac);
}

uint32_t node_features(uint32_t api_major, uint32_t api_minor, uint32_t flags, uint32_t legacy)
{
    static const uint32_t steps[] = {PROXY_FEATURE_PASSIVE_SCAN, PROXY_FEATURE_ACTIVE_CONNECTIONS,
                                     PROXY_FEATURE_REMOTE_CACHING, PROXY_FEATURE_PAIRING,
                                     PROXY_FEATURE_CACHE_CLEARING};
    uint32_t features = 0;

    if (api_major > 1 || api_minor >= 9)
        return flags;
    for (size_t i = 0; i < ARRAY_SIZE(steps) && i < legacy; i++)
        features |= steps[i];
    return features;
}

void node_learn(struct node *n, const struct message_device_info *info, uint32_t api_major,
                uint32_t api_minor)
{
    n->has_mac = parse_mac(info->mac_address, &n->mac);
    n->has_bluetooth_mac = parse_mac(info->bluetooth_mac_address, &n->bluetooth_mac);
    if (!n->has_bluetooth_mac && n->has_mac) {
        n->has_bluetooth_mac = true;
        n->bluetooth_mac = n->mac;
    }
    n->has_deep_sleep = info->has_deep_sleep;
    n->api_major = api_major;
    n->api_minor = api_minor;
    n->features = node_features(api_major, api_minor, info->bluetooth_proxy_feature_flags,
                                info->legacy_bluetooth_proxy_version);
    copy_text(n->model, info->model);
    copy_text(n->version, info->esphome_version);
}
