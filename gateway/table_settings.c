#include "table_settings.h"

#define PAYLOAD_TOLD_AFTER (100 * USEC_PER_MSEC) /* so often the payload of one device is told */

struct device_table_settings table_settings_make(const struct config *c)
{
    return (struct device_table_settings){
            .devices_max = (uint32_t) c->limits_devices,
            .forget_after = (usec_t) c->limits_forget_after_s * USEC_PER_SEC,
            .forget_private_after = (usec_t) c->limits_forget_private_after_s * USEC_PER_SEC,
            .stale_after = (usec_t) c->scan_ownership_stale_s * USEC_PER_SEC,
            .quiet_after = (usec_t) c->scan_quiet_s * USEC_PER_SEC,
            .tell_after = PAYLOAD_TOLD_AFTER,
            .margin_db = c->scan_ownership_margin_db,
            .reclaim_db = c->scan_ownership_reclaim_db,
            .ewma_alpha = c->scan_ownership_ewma_alpha,
            .strong_dbm = (double) c->scan_ownership_strong_dbm,
            .roam_factor = c->scan_ownership_roam_factor,
            .gone_factor = c->scan_ownership_gone_factor,
    };
}
