/* Facts are a run of (kind, size of two octets, value). Values are bounded by what advertisements
 * and settings can hold; a longer one is cut. */
#include "event_subject.h"

#include <math.h>
#include <string.h>

enum fact_kind {
    FACT_NAME, /* name or alias */
    FACT_AREA,
    FACT_PROXY,   /* any that the event concerns */
    FACT_UUID,    /* in a list, or key of service data */
    FACT_COMPANY, /* two octets of company, and its data */
};

#define FACT_HEAD     3
#define FACT_SIZE_MAX UINT16_MAX

/* ---- writing ---- */

static void add_head(struct buffer *facts, enum fact_kind kind, size_t size)
{
    const uint8_t head[FACT_HEAD] = {(uint8_t) kind, (uint8_t) (size >> 8), (uint8_t) size};

    buffer_append(facts, head, sizeof head);
}

static void add(struct buffer *facts, enum fact_kind kind, const void *data, size_t size)
{
    size = size < FACT_SIZE_MAX ? size : FACT_SIZE_MAX;
    add_head(facts, kind, size);
    buffer_append(facts, data, size);
}

static void add_text(struct buffer *facts, enum fact_kind kind, const char *text)
{
    if (text)
        add(facts, kind, text, strlen(text));
}

static void add_company(struct buffer *facts, const struct gateway_element *element)
{
    const uint8_t company[2] = {(uint8_t) (element->company >> 8), (uint8_t) element->company};
    size_t size = element->size < FACT_SIZE_MAX - 2 ? element->size : FACT_SIZE_MAX - 2;

    add_head(facts, FACT_COMPANY, size + sizeof company);
    buffer_append(facts, company, sizeof company);
    buffer_append(facts, element->data, size);
}

static void add_elements(struct buffer *facts, const struct gateway *g,
                         const struct gateway_device *device)
{
    struct gateway_element element;

    for (size_t i = 0; gateway_get_element(g, device, i, &element); i++) {
        enum ad_kind kind = advertising_data_kind(element.type);

        if (element.has_company)
            add_company(facts, &element);
        else if (element.has_uuid && (kind == AD_KIND_UUID || kind == AD_KIND_SERVICE_DATA))
            add(facts, FACT_UUID, element.uuid.octets, sizeof element.uuid.octets);
    }
}

static void add_device(struct buffer *facts, const struct gateway *g,
                       const struct gateway_device *device)
{
    buffer_clear(facts);
    if (device->name)
        add(facts, FACT_NAME, device->name, device->name_size);
    if (device->config)
        add_text(facts, FACT_NAME, device->config->alias);
    add_text(facts, FACT_AREA, device->area);
    add_elements(facts, g, device);
}

static void add_hearers(struct buffer *facts, const struct gateway *g,
                        const struct gateway_device *device)
{
    struct gateway_source source;

    for (size_t i = 0; gateway_get_source(g, device, i, &source); i++)
        add_text(facts, FACT_PROXY, source.proxy);
}

static void set_facts(struct event_subject *subject, const struct buffer *facts)
{
    subject->facts_size = buffer_size(facts);
    subject->facts = subject->facts_size > 0 ? buffer_front(facts) : NULL;
}

/* ---- matching ---- */

struct fact {
    enum fact_kind kind;
    const uint8_t *data;
    size_t size;
};

/* *position = 0 to begin; false at the end. */
static bool next_fact(const struct event_subject *s, size_t *position, struct fact *ret_fact)
{
    const uint8_t *at;

    if (*position >= s->facts_size)
        return false;
    at = s->facts + *position;
    *ret_fact = (struct fact){(enum fact_kind) at[0], at + FACT_HEAD, (size_t) at[1] << 8 | at[2]};
    *position += FACT_HEAD + ret_fact->size;
    return true;
}

static bool is_text(const struct fact *fact, const char *text)
{
    return strlen(text) == fact->size && memcmp(fact->data, text, fact->size) == 0;
}

static bool is_uuid_wanted(const struct fact *fact, const struct device_filter *f)
{
    struct ble_uuid uuid;

    memcpy(uuid.octets, fact->data, sizeof uuid.octets);
    return device_filter_accepts_uuid(f, &uuid);
}

static bool is_company_wanted(const struct fact *fact, const struct device_filter *f)
{
    uint16_t company = (uint16_t) (fact->data[0] << 8 | fact->data[1]);

    return device_filter_accepts_company(f, company, fact->data + 2, fact->size - 2);
}

/* True when the filter asks for a fact of this kind and this is one that it wants. */
static bool meets(const struct fact *fact, const struct device_filter *f)
{
    switch (fact->kind) {
    case FACT_NAME:
        return f->name && device_filter_accepts_name(f, (const char *) fact->data, fact->size);
    case FACT_AREA:
        return f->area && is_text(fact, f->area);
    case FACT_PROXY:
        return f->proxy && is_text(fact, f->proxy);
    case FACT_UUID:
        return is_uuid_wanted(fact, f);
    case FACT_COMPANY:
        return f->has_company && is_company_wanted(fact, f);
    }
    return false;
}

static unsigned asked_for(const struct device_filter *f)
{
    return (f->name ? 1u << FACT_NAME : 0) | (f->area ? 1u << FACT_AREA : 0) |
           (f->proxy ? 1u << FACT_PROXY : 0) | (f->uuids_count > 0 ? 1u << FACT_UUID : 0) |
           (f->has_company ? 1u << FACT_COMPANY : 0);
}

static bool proxy_matches(const struct event_subject *s, const struct device_filter *f)
{
    bool names_one = false;
    size_t position = 0;
    struct fact fact;

    while (next_fact(s, &position, &fact)) {
        if (fact.kind != FACT_PROXY)
            continue;
        if (meets(&fact, f))
            return true;
        names_one = true;
    }
    return !names_one;
}

void event_subject_of_device(struct event_subject *ret_subject, struct buffer *facts,
                             const struct gateway *g, const struct gateway_device *device)
{
    add_device(facts, g, device);
    add_hearers(facts, g, device);
    *ret_subject = (struct event_subject){
            .has_device = true, .address = device->address, .rssi = device->rssi_smoothed};
    set_facts(ret_subject, facts);
}

void event_subject_of_hearing(struct event_subject *ret_subject, struct buffer *facts,
                              const struct gateway *g, const struct gateway_hearing *hearing)
{
    add_device(facts, g, hearing->device);
    add_text(facts, FACT_PROXY, hearing->proxy);
    *ret_subject = (struct event_subject){
            .has_device = true,
            .address = hearing->device->address,
            .rssi = hearing->rssi != 0 ? hearing->rssi : (double) NAN,
    };
    set_facts(ret_subject, facts);
}

/* The device, if it is known, and the proxies of these names (NULL: none); without any, all that
 * hear it. */
static void make_of_link(struct event_subject *ret_subject, struct buffer *facts,
                         const struct gateway *g, uint64_t address, const char *proxy,
                         const char *from)
{
    struct gateway_device device;
    bool is_known = gateway_find_device(g, address, &device) == 0;

    buffer_clear(facts);
    if (is_known)
        add_device(facts, g, &device);
    add_text(facts, FACT_PROXY, proxy);
    add_text(facts, FACT_PROXY, from);
    if (is_known && !proxy && !from)
        add_hearers(facts, g, &device);
    *ret_subject = (struct event_subject){
            .has_device = true,
            .address = address,
            .rssi = is_known ? device.rssi_smoothed : (double) NAN,
    };
    set_facts(ret_subject, facts);
}

void event_subject_of_link(struct event_subject *ret_subject, struct buffer *facts,
                           const struct gateway *g, const struct gateway_link_change *change)
{
    make_of_link(ret_subject, facts, g, change->address, change->proxy, change->from);
}

void event_subject_of_value(struct event_subject *ret_subject, struct buffer *facts,
                            const struct gateway *g, const struct gateway_gatt_value *value)
{
    make_of_link(ret_subject, facts, g, value->address, value->proxy, /* from= */ NULL);
}

void event_subject_of_proxy(struct event_subject *ret_subject, struct buffer *facts,
                            const char *proxy)
{
    buffer_clear(facts);
    add_text(facts, FACT_PROXY, proxy);
    *ret_subject = (struct event_subject){.rssi = (double) NAN};
    set_facts(ret_subject, facts);
}

bool event_subject_matches(const struct event_subject *s, const struct device_filter *f)
{
    unsigned missing = asked_for(f);
    size_t position = 0;
    struct fact fact;

    if (!s->has_device)
        return !f->proxy || proxy_matches(s, f);
    if (f->kind)
        return false; /* there are no decoders yet */
    if (f->has_rssi_min && !(s->rssi >= f->rssi_min))
        return false; /* NAN too */
    while (missing && next_fact(s, &position, &fact)) {
        if (missing & 1u << fact.kind && meets(&fact, f))
            missing &= ~(1u << fact.kind);
    }
    return missing == 0;
}
