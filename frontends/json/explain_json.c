#include "explain_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "json/candidate.h"
#include "json/explain_text.h"
#include "json/packet_json.h"

#define ADVICE_MAX 24

static void write_text(struct writer *w, const char *key, struct buffer *text)
{
    writer_text_sized(w, key, buffer_front(text), buffer_size(text));
    buffer_done(text);
}

/* ---- candidates ---- */

static void write_slots(struct writer *w, const struct gateway_proxy *p)
{
    if (p->has_slots) {
        writer_unsigned(w, "slots_free", p->slots_free);
        writer_unsigned(w, "slots_limit", p->slots_limit);
    } else {
        writer_null(w, "slots_free");
        writer_null(w, "slots_limit");
    }
}

static void write_candidate(struct writer *w, const struct explain_text *t,
                            const struct candidate *c)
{
    struct buffer detail = {0};

    explain_text_candidate(&detail, t, c);
    writer_begin_object(w, NULL);
    writer_text(w, "proxy", c->proxy.config->name);
    writer_text(w, "verdict", candidate_verdict_name(c->verdict));
    writer_text(w, "cause", candidate_cause_name(c->cause));
    write_text(w, "detail", &detail);
    packet_json_write_rssi(w, c->is_heard ? c->source.rssi : 0);
    writer_number(w, "rssi_smoothed", c->is_heard ? c->source.rssi_smoothed : (double) NAN, 1);
    writer_number(w, "age_s", c->is_heard ? (double) c->age / (double) USEC_PER_SEC : (double) NAN,
                  3);
    write_slots(w, &c->proxy);
    writer_unsigned(w, "in_progress", 0);
    writer_unsigned(w, "failures", 0);
    writer_bool(w, "bonded", false);
    writer_number(w, "score", c->has_path ? c->path_rssi : (double) NAN, 1);
    writer_null(w, "score_terms");
    writer_end_object(w);
}

/* ---- what stands in the way ---- */

/* We open no links, so an occupied slot is another client's. */
static void write_holders(struct writer *w, const struct explain_text *t)
{
    writer_begin_array(w, "holders");
    for (size_t i = 0; i < t->count && t->is_connection; i++) {
        const struct gateway_proxy *p = &t->candidates[i].proxy;

        for (size_t k = 0; k < p->slots_allocated_count && t->candidates[i].is_heard; k++) {
            writer_begin_object(w, NULL);
            writer_text(w, "proxy", p->config->name);
            writer_address(w, "address", p->slots_allocated[k]);
            writer_text(w, "holder", "foreign");
            writer_begin_array(w, "clients");
            writer_end_array(w);
            writer_null(w, "expires");
            writer_end_object(w);
        }
    }
    writer_end_array(w);
}

/* All the proxies that the device's settings require are away. */
static bool is_required_away(const struct explain_text *t)
{
    bool is_any = false;

    if (!t->device->config || t->device->config->route_require.count == 0)
        return false;
    for (size_t i = 0; i < t->count; i++) {
        const struct candidate *c = &t->candidates[i];

        if (c->cause == CANDIDATE_NOT_REQUIRED || c->cause == CANDIDATE_FORBIDDEN)
            continue;
        if (c->cause != CANDIDATE_OFFLINE && c->cause != CANDIDATE_DISABLED)
            return false;
        is_any = true;
    }
    return is_any;
}

/* What a request would answer; 0: it would do. */
static int code_of(const struct explain_text *t)
{
    if (!t->is_known)
        return E_DEVICE_NOT_FOUND;
    if (!t->is_connection || (t->count > 0 && t->candidates[0].verdict == CANDIDATE_CHOSEN))
        return 0;
    for (size_t i = 0; i < t->count; i++) {
        if (t->candidates[i].cause == CANDIDATE_NO_FREE_SLOT)
            return E_NO_FREE_SLOT;
    }
    return is_required_away(t) ? E_PROXY_OFFLINE : E_NO_ROUTE;
}

/* Somebody who hears it would tell its next packet; a connection has a way. */
static bool is_possible(const struct explain_text *t)
{
    if (t->is_connection)
        return code_of(t) == 0;
    return t->device->is_available && t->count > 0 &&
           t->candidates[0].verdict != CANDIDATE_EXCLUDED;
}

static void write_advice(struct writer *w, const struct explain_text *t)
{
    writer_begin_array(w, "advice");
    for (size_t i = 0; i < ADVICE_MAX; i++) {
        struct buffer text = {0};

        if (!explain_text_advice(&text, t, i)) {
            buffer_done(&text);
            break;
        }
        write_text(w, NULL, &text);
    }
    writer_end_array(w);
}

static void write_explanation(struct writer *w, const struct explain_text *t)
{
    const struct gateway_device *d = t->device;
    struct buffer summary = {0};
    int code = code_of(t);

    explain_text_summary(&summary, t);
    writer_address(w, "address", d->address);
    writer_text(w, "intent", t->is_connection ? "connection" : "advertisement");
    writer_bool(w, "possible", is_possible(t));
    writer_text(w, "code", code ? error_token(code) : NULL);
    write_text(w, "summary", &summary);
    writer_bool(w, "known", t->is_known);
    writer_bool(w, "available", d->is_available);
    if (d->row)
        writer_time(w, "last_seen", gateway_wall(t->gateway, d->last_seen));
    else
        writer_null(w, "last_seen");
    writer_null(w, "connectable");
    writer_begin_array(w, "candidates");
    for (size_t i = 0; i < t->count; i++)
        write_candidate(w, t, &t->candidates[i]);
    writer_end_array(w);
    write_holders(w, t);
    writer_begin_array(w, "attempts");
    writer_end_array(w);
    write_advice(w, t);
}

void explain_json_write(struct writer *w, const char *key, const struct gateway *g,
                        uint64_t address, bool is_hearing)
{
    struct gateway_device device = {.address = address, .rssi_smoothed = NAN};
    struct explain_text t = {
            .gateway = g,
            .device = &device,
            .is_known = gateway_find_device(g, address, &device) == 0,
            .is_connection = !is_hearing,
    };
    struct candidate *candidates AUTO_FREE =
            candidate_collect(g, &device, t.is_connection, &t.count);

    t.candidates = candidates;
    writer_begin_object(w, key);
    write_explanation(w, &t);
    writer_end_object(w);
}
