/* The story: bonds live in proxies, so each proxy that holds one is asked, all at the same time;
 * what came of it is an entry of the answer, in the order in which they answer. The one proxy that
 * somebody names answers with a problem when it fails.
 *
 * Failure modes: a proxy that cannot be asked now, or fails, keeps its bond and says so. */
#include "bond_wait.h"

#include <stdlib.h>

#include "base/memory.h"
#include "rest/gatt_problem.h"
#include "rest/pending.h"
#include "json/gatt_json.h"

struct bond {
    struct bond_wait *wait;
    char *proxy;
    struct gateway_gatt_request *gatt_request; /* NULL: answered, or refused */
};

struct bond_wait {
    struct pending pending;
    struct gateway *gateway; /* borrowed */
    struct gatt_problem_place place;
    bool is_single; /* somebody named the proxy */
    struct bond *bonds;
    size_t count, open;
    struct writer items;
};

static void tell(struct bond *bond, const struct gateway_gatt_answer *answer)
{
    struct bond_wait *wait = bond->wait;

    gatt_json_write_bond(&wait->items, NULL, wait->place.address, bond->proxy, answer->code != 0,
                         answer);
}

static void answer_items(struct bond_wait *wait, struct answer *ret_answer)
{
    struct writer w = {0};

    writer_end_array(&wait->items);
    writer_begin_object(&w, NULL);
    writer_json(&w, "items", (const char *) buffer_front(&wait->items.text),
                buffer_size(&wait->items.text));
    writer_end_object(&w);
    answer_set_json(ret_answer, 200, &w);
}

static void on_answer(void *user, const struct gateway_gatt_answer *answer)
{
    struct bond *bond = user;
    struct bond_wait *wait = bond->wait;
    struct answer *ret_answer = &wait->pending.request->answer;

    bond->gatt_request = NULL;
    wait->open--;
    if (wait->is_single && answer->code != 0) {
        gatt_problem_answer(wait->gateway, &wait->place, answer, ret_answer);
        pending_finish(&wait->pending);
        return;
    }
    tell(bond, answer);
    if (wait->open > 0)
        return;
    answer_items(wait, ret_answer);
    pending_finish(&wait->pending);
}

static void free_wait(struct bond_wait *wait)
{
    for (size_t i = 0; i < wait->count; i++) {
        if (wait->bonds[i].gatt_request)
            gateway_gatt_cancel(wait->gateway, wait->bonds[i].gatt_request);
        free(wait->bonds[i].proxy);
    }
    free(wait->bonds);
    writer_done(&wait->items);
    free(wait);
}

static void release(struct pending *pending)
{
    free_wait(CONTAINER_OF(pending, struct bond_wait, pending));
}

static void add(struct bond_wait *wait, const char *proxy)
{
    wait->bonds[wait->count++] = (struct bond){.wait = wait, .proxy = memory_copy_text(proxy)};
}

static void collect(struct bond_wait *wait, const struct gateway_gatt_wish *wish)
{
    const struct config *config = gateway_config(wait->gateway);
    size_t index = 0;
    const char *proxy;

    wait->bonds = xnew(struct bond, config->proxies_count + 1);
    if (wait->is_single)
        add(wait, config->proxies[wish->link.proxy_index].name);
    while (!wait->is_single && wait->count < config->proxies_count &&
           (proxy = gateway_next_bond(wait->gateway, wait->place.address, &index)))
        add(wait, proxy);
}

static int ask(struct bond *bond, const struct gateway_gatt_wish *wish)
{
    struct gateway_gatt_wish wanted = *wish;

    wanted.verb = GATEWAY_GATT_UNPAIR;
    wanted.link.has_proxy = true;
    if (gateway_find_proxy(bond->wait->gateway, bond->proxy, &wanted.link.proxy_index) != 0)
        return E_PROXY_NOT_FOUND;
    return gateway_gatt_submit(bond->wait->gateway, &wanted, on_answer, bond, &bond->gatt_request);
}

/* What the last one was refused with; 0: none was. */
static int ask_all(struct bond_wait *wait, const struct gateway_gatt_wish *wish)
{
    int refusal = 0;

    for (size_t i = 0; i < wait->count; i++) {
        const struct gateway_gatt_answer answer = {.code = ask(&wait->bonds[i], wish)};

        if (answer.code == 0) {
            wait->open++;
            continue;
        }
        refusal = answer.code;
        tell(&wait->bonds[i], &answer);
    }
    return refusal;
}

int bond_wait_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request,
                    const struct gateway_gatt_wish *wish)
{
    struct bond_wait *wait = xnew(struct bond_wait, 1);
    int rc = E_OVERLOADED;

    wait->gateway = g;
    wait->is_single = wish->link.has_proxy;
    wait->place = (struct gatt_problem_place){.address = wish->link.address, .pointer = ""};
    writer_begin_array(&wait->items, NULL);
    collect(wait, wish);
    wait->place.proxy = wait->is_single ? wait->bonds[0].proxy : NULL;
    if (!pendings_are_full(pendings))
        rc = ask_all(wait, wish);
    if (wait->open > 0)
        return pendings_add(pendings, &wait->pending, request, release);
    if (rc < 0 && (wait->is_single || rc == E_OVERLOADED))
        gatt_problem_refuse(g, &wait->place, rc, &request->answer);
    else
        answer_items(wait, &request->answer);
    free_wait(wait);
    return REST_ANSWERED;
}
