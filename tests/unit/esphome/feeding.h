/* Sessions driven by hand: octets in, and a record of what the session told its owner. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "esphome/client_session.h"
#include "esphome/server_session.h"

#define RECORD_MAX  1024
#define START       (1000 * USEC_PER_SEC) /* when a test begins */
#define SERVER_NAME "proxy-sim"
#define SERVER_MAC  UINT64_C(0xa0b1c2d3e4f5)

struct client_side {
    struct client_session *session;
    size_t ready_count, reports_count, reports_calls, messages_count;
    enum client_session_state states[16];
    size_t states_count;
    char ready_name[64];
    uint32_t ready_flags;
    struct ble_report reports[RECORD_MAX]; /* data points nowhere */
    uint8_t first_data[BLE_REPORT_DATA_MAX];
    uint32_t messages[RECORD_MAX];
    struct message last;         /* texts and octets of it are gone */
    size_t disconnect_at_report; /* 1: the owner disconnects in the first call of on_reports */
};

struct server_side {
    struct server_session *session;
    size_t messages_count;
    enum server_session_state states[16];
    size_t states_count;
    uint32_t messages[RECORD_MAX];
    struct message last;
};

/* The keys of the vectors' first case. */
struct client_session_options client_options(bool is_encrypted);
struct server_session_options server_options(bool is_encrypted);

void client_open(struct client_side *c, const struct client_session_options *options);
void client_close(struct client_side *c);
/* Feeds at most step octets at a time (0: as many as fit). The result of the last one. */
int client_feed(struct client_side *c, const void *data, size_t size, size_t step, usec_t now);
int client_feed_hex(struct client_side *c, const char *hex, usec_t now);
/* One plaintext frame. */
int client_feed_message(struct client_side *c, const struct message *message, usec_t now);
/* What waits is exactly this, and is taken. */
void client_expect_output(struct client_side *c, const char *hex);
/* A plaintext session that is READY, its output taken. */
void client_open_ready(struct client_side *c);

void server_open(struct server_side *s, const struct server_session_options *options);
void server_close(struct server_side *s);
int server_feed(struct server_side *s, const void *data, size_t size, size_t step, usec_t now);
int server_feed_hex(struct server_side *s, const char *hex, usec_t now);
int server_feed_message(struct server_side *s, const struct message *message, usec_t now);
void server_expect_output(struct server_side *s, const char *hex);
void server_open_ready(struct server_side *s);

/* Moves octets both ways, at most step at a time, until both are quiet. */
void converse(struct client_side *c, struct server_side *s, size_t step, usec_t now);
