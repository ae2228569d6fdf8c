/* The API without a transport: a request comes in as method, target and body, an answer goes out as
 * status, headers and body. HTTP stands on it, and whatever else carries requests later.
 *
 * What a route is, who may call it and what its query may hold is one table (routes.h). It knows
 * nothing of sockets: the transport says who the caller is, and which role they have. Who asked for
 * more than to read, and who was refused, is noted (GET /audit). Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/gateway.h"
#include "rest/answer.h"

enum rest_role {
    REST_ROLE_NONE = ACCOUNT_NONE,
    REST_ROLE_READ = ACCOUNT_READ,
    REST_ROLE_CONTROL = ACCOUNT_CONTROL,
    REST_ROLE_ADMIN = ACCOUNT_ADMIN,
};

/* "none", "read", "control", "admin". */
const char *rest_role_name(enum rest_role role);

struct clients;
struct event_log_line;
struct metrics;
struct rest;
struct pending;

/* One request. The caller owns the memory, with all that it points at, from submit until the answer
 * is there. Zeroed but for the inputs. */
struct rest_request {
    /* inputs */
    const char *method;        /* "GET", "HEAD" … */
    const char *target;        /* path and query as sent, percent-encoded: "/api/v1/info?a=b" */
    const char *content_type;  /* of the body; NULL: not told */
    const char *accept;        /* NULL: anything */
    const char *if_match;      /* NULL: none */
    const char *if_none_match; /* NULL: none */
    const char *last_event_id; /* NULL: none */
    const char *user_agent;    /* what the caller calls itself; NULL: not told */
    const char *remote;        /* where it is, "192.0.2.7:51234"; NULL: not known */
    bool takes_streams;        /* answers may be streams */
    bool accepts_gzip;
    const void *body;
    size_t body_size;
    const char *body_file;  /* the path of the body, if the route wants a file; NULL: none came */
    const char *passphrase; /* of what is in the body; NULL: none */
    enum rest_role role;
    const char *client; /* who asks, as others are told: "loopback", "mqtt"; NULL: not known */
    const struct account_identity *identity; /* of who asks; NULL: there are none there */
    struct account_source source;            /* where wrong tokens are counted */
    bool is_secure;                          /* nobody reads what goes between */
    const char *verb;                        /* that asks for it; NULL: none */
    void (*done)(struct rest_request *request);
    void *user;

    struct answer answer; /* the caller's from then on: answer_done() */

    struct pending *pending;  /* private: what it waits for (pending.h); NULL: nothing */
    struct rest_audit *audit; /* private: what is noted at its end; NULL: nothing */
    char *changed;            /* private: rest_note_changed() */
};

#define REST_ANSWERED 1

/* The gateway must outlive it. */
struct rest *rest_new(struct gateway *g);

/* The first half of the ids of events: a number of this run, drawn at random. Before the first
 * request. */
void rest_set_boot(struct rest *rest, uint32_t boot);

/* A line of the log, for the readers of events; those less than a warning are passed over. */
void rest_log(struct rest *rest, const struct event_log_line *line);

/* Answers all waiting requests (503 shutting_down), and every later one at once in the same way;
 * ends all streams. */
void rest_stop(struct rest *rest);
void rest_free(struct rest *rest); /* stops first; no stream may be left; accepts NULL */

/* REST_ANSWERED: the answer is there, done is not called. 0: done will be called, exactly once and
 * never from inside submit; in any case by the deadline that the request itself names. Every fault
 * of a request is an answer, so there is no other result. */
int rest_submit(struct rest *rest, struct rest_request *request);

/* Whether who asks has the role of the route, so that a body need not be waited for. False: the
 * refusal is the answer. */
bool rest_admits(struct rest *rest, struct rest_request *request);

/* For handlers: these settings are others now. Noted with who did it; names, never values. */
void rest_note_changed(struct rest_request *request, const struct config_texts *pointers);

/* For transports: the answer refuses a request that did not come here. */
void rest_note_refusal(struct rest *rest, struct rest_request *request);

/* Ends the waiting of a request for which submit gave 0 and done was not called yet: done is called
 * from inside, with 503 and this cause (E_CANCELLED, E_SHUTTING_DOWN). */
void rest_cancel(struct rest *rest, struct rest_request *request, int cause);

/* The texts of changes of devices, one for all faces (device_texts.h). */
struct device_texts *rest_device_texts(struct rest *rest);

/* The readers of ours, for whoever serves some (clients.h). */
struct clients *rest_clients(struct rest *rest);

/* The figures of GET /metrics, for whoever counts something (metrics.h). */
struct metrics *rest_metrics(struct rest *rest);

/* Who tells of the MQTT frontend, for /info and /readyz; NULL: it is disabled. */
struct info_json_mqtt;
typedef void rest_mqtt_fn(void *user, struct info_json_mqtt *ret_mqtt);
void rest_set_mqtt(struct rest *rest, rest_mqtt_fn *get, void *user);

/* Whether the route of this request wants its body as a file, of GATEWAY_UPLOAD_MAX octets at
 * most. */
bool rest_wants_file(const struct rest *rest, const char *method, const char *target);

/* Whether the body is of this type; one that does not say is not. */
bool rest_has_type(const struct rest_request *request, const char *type);

/* The body is octets, not JSON. */
bool rest_has_octets(const struct rest_request *request);

/* For transports: the answer to a request that they refuse themselves (cause as in problem_json.h).
 * detail NULL: the sentence of the cause. */
void rest_refuse(struct answer *ret_answer, int status, int cause, const char *detail);
/* 401 for who has no role at all, 403 for who needs a larger one. */
void rest_refuse_role(struct answer *ret_answer, enum rest_role has, enum rest_role needs);
/* 429: tokens from there are not looked at for so long. */
void rest_refuse_tokens(struct answer *ret_answer, usec_t retry_after);
/* 413; max is the longest body allowed. */
void rest_refuse_size(struct answer *ret_answer, uint64_t max);
