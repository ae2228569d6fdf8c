#include "explain_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json/candidate.h"
#include "json/connection_json.h"
#include "json/explain_text.h"
#include "json/packet_json.h"

#define ADVICE_MAX   24
#define ATTEMPTS_MAX 10

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

/* Who never heard it has no score. Zeroed where nobody asked for a connection. */
static void write_route(struct writer *w, const struct gateway_route *r)
{
    writer_unsigned(w, "in_progress", r->in_progress);
    writer_number(w, "failures", r->failures, 2);
    writer_bool(w, "bonded", r->is_bonded);
    if (r->was_heard) {
        writer_number(w, "score", r->score, 1);
        connection_json_write_terms(w, "score_terms", &r->terms);
    } else {
        writer_null(w, "score");
        writer_null(w, "score_terms");
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
    write_route(w, &c->route);
    writer_end_object(w);
}

/* ---- what stands in the way ---- */

/* Who has the slots of proxies that hear the device. */
static void write_holders(struct writer *w, const char *key, const struct explain_text *t)
{
    writer_begin_array(w, key);
    for (size_t i = 0; i < t->count && t->is_connection; i++) {
        if (t->candidates[i].is_heard)
            connection_json_write_holders_of(w, t->gateway, t->candidates[i].proxy.index);
    }
    writer_end_array(w);
}

static void write_candidates(struct writer *w, const char *key, const struct explain_text *t)
{
    writer_begin_array(w, key);
    for (size_t i = 0; i < t->count; i++)
        write_candidate(w, t, &t->candidates[i]);
    writer_end_array(w);
}

/* Somebody who hears it would tell its next packet; a connection has a way. */
static bool is_possible(const struct explain_text *t)
{
    if (t->is_connection)
        return t->code == 0;
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

    explain_text_summary(&summary, t);
    writer_address(w, "address", d->address);
    writer_text(w, "intent", t->is_connection ? "connection" : "advertisement");
    writer_bool(w, "possible", is_possible(t));
    writer_text(w, "code", t->code ? error_token(t->code) : NULL);
    write_text(w, "summary", &summary);
    writer_bool(w, "known", t->is_known);
    writer_bool(w, "available", d->is_available);
    if (d->row)
        writer_time(w, "last_seen", gateway_wall(t->gateway, d->last_seen));
    else
        writer_null(w, "last_seen");
    writer_null(w, "connectable");
    write_candidates(w, "candidates", t);
    write_holders(w, "holders", t);
    connection_json_write_latest_attempts(w, "attempts", t->gateway, d->address,
                                          t->is_connection ? ATTEMPTS_MAX : 0);
    write_advice(w, t);
}

/* What is known of an address, to be explained. */
struct case_file {
    struct gateway_device device;
    struct candidate *candidates; /* ours */
    struct explain_text text;     /* borrows from the others */
};

static void open_case(struct case_file *c, const struct gateway *g, uint64_t address,
                      bool is_connection)
{
    struct explain_text *t = &c->text;

    c->device = (struct gateway_device){.address = address, .rssi_smoothed = NAN};
    *t = (struct explain_text){.gateway = g, .device = &c->device, .is_connection = is_connection};
    t->is_known = gateway_find_device(g, address, &c->device) == 0;
    if (is_connection)
        c->candidates = candidate_collect_routes(g, &c->device, &t->count, &t->code);
    else
        c->candidates = candidate_collect_hearing(g, &c->device, &t->count);
    if (!t->is_known)
        t->code = E_DEVICE_NOT_FOUND;
    t->candidates = c->candidates;
}

static void close_case(struct case_file *c)
{
    free(c->candidates);
}

void explain_json_write(struct writer *w, const char *key, const struct gateway *g,
                        uint64_t address, bool is_hearing)
{
    struct case_file c;

    open_case(&c, g, address, !is_hearing);
    writer_begin_object(w, key);
    write_explanation(w, &c.text);
    writer_end_object(w);
    close_case(&c);
}

void explain_json_write_candidates(struct writer *w, const char *key, const struct gateway *g,
                                   uint64_t address)
{
    struct case_file c;

    open_case(&c, g, address, /* is_connection= */ true);
    write_candidates(w, key, &c.text);
    close_case(&c);
}

void explain_json_write_holders(struct writer *w, const char *key, const struct gateway *g,
                                uint64_t address)
{
    struct case_file c;

    open_case(&c, g, address, /* is_connection= */ true);
    write_holders(w, key, &c.text);
    close_case(&c);
}

void explain_json_summarise(struct buffer *b, const struct gateway *g, uint64_t address)
{
    struct case_file c;

    open_case(&c, g, address, /* is_connection= */ true);
    explain_text_summary(b, &c.text);
    close_case(&c);
}
