/* An hour of virtual time of a lively house, and a device table that lives through it: things that
 * stay, people who carry theirs from room to room, things that fall silent and come back, a street
 * outside, a proxy that is away for five minutes. The same every time. Any failure aborts. */
#pragma once

#include <stdio.h>

struct house;

/* What will be heard is made now. */
struct house *house_new(void);
void house_free(struct house *h);

/* Lives through the hour: every packet, and every deadline of the table at its second. Once. */
void house_run(struct house *h);

/* What happened, in a line; aborts when something that makes an hour lively did not. */
void house_report(const struct house *h, FILE *out);
