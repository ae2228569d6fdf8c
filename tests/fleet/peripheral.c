#include "peripheral.h"

#include <math.h>

#define WEAK_SLOPE_DB 1.5 /* of the curve of luck about weak_dbm */

const struct peripheral_options PERIPHERAL_USUAL = {
        .links_max = 1,
        .connect = {.low = 200 * USEC_PER_MSEC, .high = 800 * USEC_PER_MSEC},
        .discovery = 300 * USEC_PER_MSEC,
        .weak_dbm = -92,
        .end_error = ERROR_PEER_TERMINATED,
        .mtu = 247,
};

void peripheral_init(struct peripheral *p, const struct peripheral_options *options, uint64_t seed)
{
    *p = (struct peripheral){.options = *options, .seed = seed};
    p->links = options->is_linked_elsewhere ? 1 : 0;
    dice_seed(&p->dice, seed);
}

void peripheral_done(struct peripheral *p)
{
    gatt_server_free(p->server);
    p->server = NULL;
}

struct gatt_server *peripheral_server(struct peripheral *p)
{
    if (p->server == NULL)
        p->server = gatt_server_new(&p->options.gatt, dice_mix(p->seed, 1));
    return p->server;
}

static bool is_full(const struct peripheral *p)
{
    return p->options.is_connectable && p->links >= p->options.links_max;
}

bool peripheral_advertises(const struct peripheral *p)
{
    return !is_full(p) || p->options.advertises_linked;
}

bool peripheral_is_free(const struct peripheral *p)
{
    return p->options.is_connectable && !is_full(p);
}

static int32_t draw_outcome(struct peripheral *p, double rssi)
{
    double weak = 1.0 / (1.0 + exp((rssi - p->options.weak_dbm) / WEAK_SLOPE_DB));

    if (p->fails_next > 0) {
        p->fails_next--;
        return p->next_error;
    }
    if (dice_between(&p->dice, 0.0, 1.0) < p->options.failure)
        return luck_error_draw(&p->options.failures, &p->dice, ERROR_NOT_ESTABLISHED);
    return dice_between(&p->dice, 0.0, 1.0) < weak ? ERROR_NOT_ESTABLISHED : 0;
}

struct peripheral_attempt peripheral_attempt(struct peripheral *p, double rssi)
{
    struct peripheral_attempt attempt = {.is_answered = peripheral_is_free(p)};

    if (!attempt.is_answered)
        return attempt;
    if (p->options.unanswered > 0 && dice_between(&p->dice, 0.0, 1.0) < p->options.unanswered)
        return (struct peripheral_attempt){.is_answered = false};
    attempt.span = luck_span_draw(&p->options.connect, &p->dice);
    attempt.error = draw_outcome(p, rssi);
    return attempt;
}

bool peripheral_open(struct peripheral *p, struct peripheral_link *ret_link)
{
    if (!peripheral_is_free(p))
        return false;
    p->links++;
    *ret_link = (struct peripheral_link){
            .life = p->options.life.high > 0 ? luck_span_draw(&p->options.life, &p->dice)
                                             : USEC_NEVER,
            .end_error = p->options.end_error,
            .discovery = p->options.discovery,
            .mtu = p->options.mtu,
            .pairing_error = p->options.pairing_error,
            .pairs_itself = p->options.pairs_itself,
            .server = peripheral_server(p),
    };
    return true;
}

void peripheral_close(struct peripheral *p)
{
    if (p->links > 0)
        p->links--;
}

void peripheral_fail_next(struct peripheral *p, unsigned attempts, int32_t error)
{
    p->fails_next = attempts;
    p->next_error = error;
}
