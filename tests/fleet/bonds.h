/* Who one side of a link is bonded with: addresses or other numbers, the oldest first. A plain
 * value, empty when zeroed. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BONDS_MAX 15 /* as an ESP32 keeps; then the oldest gives way */

struct bonds {
    uint64_t who[BONDS_MAX];
    size_t count;
};

bool bonds_has(const struct bonds *b, uint64_t who);
/* Who is there already becomes the newest. */
void bonds_add(struct bonds *b, uint64_t who);
/* Nothing happens where there is none. */
void bonds_remove(struct bonds *b, uint64_t who);
