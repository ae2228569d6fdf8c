/* Why an operation of GATT did not do, as a problem. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "rest/answer.h"

#define GATT_PROBLEM_VALUE_MAX 512 /* octets of an attribute; no device takes more */

struct gatt_problem_place {
    uint64_t address;
    const char *proxy;   /* that was asked for; NULL: any */
    const char *pointer; /* where the request has what is written; "": it is its whole body */
};

/* The code of the answer is not 0. */
void gatt_problem_answer(const struct gateway *g, const struct gatt_problem_place *place,
                         const struct gateway_gatt_answer *answer, struct answer *ret_answer);
/* The same of a request that was refused at once, with this cause. */
void gatt_problem_refuse(const struct gateway *g, const struct gatt_problem_place *place, int cause,
                         struct answer *ret_answer);
