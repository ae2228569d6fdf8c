#include "view.h"

#include <assert.h>
#include <math.h>

#include "configured.h"
#include "scan/device_table.h"
#include "scan/scan_window.h"

static_assert(SCAN_WINDOW_ID_SIZE == GATEWAY_WINDOW_ID_SIZE, "ids fit");

const struct config_proxy *view_source_config(const struct gateway *g, uint16_t source)
{
    return roster_get(g->roster, source);
}

const char *view_source_name(const struct gateway *g, uint16_t source)
{
    const struct config_proxy *p = view_source_config(g, source);

    return p ? p->name : NULL;
}

void view_configured(const struct config_device *config, struct gateway_device *ret_device)
{
    *ret_device = (struct gateway_device){
            .config = config,
            .address = config->address,
            .address_type = ble_address_type_name(BLE_ADDRESS_PUBLIC),
            .rssi_smoothed = NAN,
            .area = config->area,
            .interval = (usec_t) (config->expected_interval_s * (double) USEC_PER_SEC),
    };
}

void view_device(const struct gateway *g, const struct device *row,
                 struct gateway_device *ret_device)
{
    const struct config_proxy *owner;
    struct device_facts facts;

    device_get_facts(g->table, row, &facts);
    owner = view_source_config(g, facts.owner);
    *ret_device = (struct gateway_device){
            .row = row,
            .config = configured_find(g->configured, facts.address),
            .address = facts.address,
            .address_type = ble_address_type_name(facts.address_type),
            .name = facts.name,
            .name_size = facts.name_size,
            .rssi = facts.rssi,
            .rssi_smoothed = facts.rssi_smoothed,
            .proxy = owner ? owner->name : NULL,
            .area = owner ? owner->area : NULL,
            .has_tx_power = facts.has_tx_power,
            .tx_power = facts.tx_power,
            .first_seen = facts.first_seen,
            .last_seen = facts.last_seen,
            .interval = facts.interval,
            .is_available = facts.is_available,
            .is_noise = facts.is_apple_noise && g->config->scan_apple_filter,
            .is_private = ble_address_is_private(facts.address, facts.address_type),
            .is_apple_noise = facts.is_apple_noise,
    };
    if (ret_device->config && ret_device->config->area)
        ret_device->area = ret_device->config->area;
}

void view_window(const struct gateway *g, const struct scan_window *window,
                 struct gateway_window *ret_window)
{
    *ret_window = (struct gateway_window){
            .number = window->id,
            .proxy = view_source_name(g, window->source),
            .state = scan_window_state_name(window->state),
            .cause = scan_cause_name(window->cause),
            .addresses = window->addresses,
            .addresses_count = window->addresses_count,
            .planned = window->planned,
            .started = window->started,
            .ends = window->ends,
            .ended = window->ended,
            .duration = window->duration,
            .answered = window->answered,
            .detail = window->detail,
    };
    scan_window_format_id(ret_window->id, window->id);
}
