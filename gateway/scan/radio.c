/* Commands (message 127) change the mode, states (126) tell it. A command for the mode that already
 * runs gets no answer, so a state that said so stays valid; a command for the other mode makes what
 * was said before void, and the radio counts as active or passive only when it said so again.
 *
 * Failure modes: the radio falls silent when its mode changes (seen in the field). After each
 * return to passive mode the next packet is waited for; none within RADIO_SILENCE is a fault,
 * unless a link is being established, when silence is normal. */
#include "radio.h"

#include <stdlib.h>

enum radio_ability radio_ability(const struct radio *r)
{
    if (!r->is_online)
        return RADIO_OFFLINE;
    if (r->is_connecting)
        return RADIO_CONNECTING;
    if ((r->wanted == SCAN_ACTIVE || !r->can_set_mode) && radio_is_active(r))
        return RADIO_COVERS;
    if (!r->can_set_mode)
        return RADIO_CANNOT;
    if (r->wanted == SCAN_PASSIVE)
        return RADIO_FORBIDDEN;
    return r->wanted == SCAN_ACTIVE ? RADIO_NOT_YET : RADIO_ABLE;
}

const char *radio_ability_sentence(enum radio_ability ability)
{
    switch (ability) {
    case RADIO_ABLE:
    case RADIO_COVERS:
        return NULL;
    case RADIO_OFFLINE:
        return "the proxy is offline";
    case RADIO_CONNECTING:
        return "the proxy is establishing a link and does not scan meanwhile";
    case RADIO_CANNOT:
        return "the firmware of the proxy cannot change the scan mode";
    case RADIO_FORBIDDEN:
        return "the proxy is set to passive scanning";
    case RADIO_NOT_YET:
        return "the proxy is set to active scanning, but does not report it";
    }
    abort();
}

bool radio_is_active(const struct radio *r)
{
    return r->reported == SCAN_REPORTED_ACTIVE && r->is_running;
}

bool radio_is_passive(const struct radio *r, usec_t now)
{
    return r->reported == SCAN_REPORTED_PASSIVE && !r->window &&
           now >= r->reported_since + RADIO_SETTLE;
}

bool radio_wants_active(const struct radio *r)
{
    return r->wanted == SCAN_ACTIVE;
}

void radio_command(struct radio *r, bool is_active, const struct windows_calls *calls, void *user,
                   usec_t now)
{
    enum scan_reported mode = is_active ? SCAN_REPORTED_ACTIVE : SCAN_REPORTED_PASSIVE;

    if (!r->is_online || !r->can_set_mode)
        return;
    r->commanded = mode;
    r->commanded_at = now;
    if (is_active)
        r->check_at = 0;
    if (r->reported != mode)
        r->reported = SCAN_REPORTED_UNKNOWN;
    calls->set_mode(user, r->source, is_active);
}

void radio_restore(struct radio *r, usec_t before, const struct windows_calls *calls, void *user,
                   usec_t now)
{
    enum scan_reported wanted =
            radio_wants_active(r) ? SCAN_REPORTED_ACTIVE : SCAN_REPORTED_PASSIVE;

    if (r->commanded == wanted)
        return;
    if (r->commanded == SCAN_REPORTED_ACTIVE && r->is_online && r->heard_at >= before)
        r->check_at = now + RADIO_SILENCE;
    radio_command(r, radio_wants_active(r), calls, user, now);
}

void radio_set_online(struct radio *r, bool is_online)
{
    r->is_online = is_online;
    r->commanded = SCAN_REPORTED_UNKNOWN;
    r->check_at = 0;
    if (is_online)
        return;
    r->reported = SCAN_REPORTED_UNKNOWN;
    r->is_running = false;
    r->is_connecting = false;
}

void radio_set_connecting(struct radio *r, bool is_connecting, usec_t now)
{
    r->is_connecting = is_connecting;
    if (r->check_at)
        r->check_at = now + RADIO_SILENCE;
}

void radio_report(struct radio *r, enum scan_reported mode, bool is_running, usec_t now)
{
    if (mode != r->reported)
        r->reported_since = now;
    r->reported = mode;
    r->is_running = is_running;
}

void radio_hear(struct radio *r, usec_t now)
{
    r->heard_at = now;
    if (r->check_at && now >= r->commanded_at + RADIO_SETTLE)
        r->check_at = 0;
}

bool radio_check(struct radio *r, usec_t now)
{
    if (r->check_at == 0 || now < r->check_at)
        return false;
    if (r->is_connecting) {
        r->check_at = now + RADIO_SILENCE;
        return false;
    }
    r->check_at = 0;
    return true;
}
