/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ceiling on requests per client address and second (api.md, Ceilings: RequestsPerSecond).
 * Takes an address as text and the monotonic time; gives yes or no.
 * Loops call it for every request while the ceiling is on; a slot is one atomic word, so there is
 * no lock. A slot left over from an earlier second is free for anybody.
 * Must never refuse because the table is full: that would let one client lock out another.
 */
#include "pccsd/client_rate.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    SLOT_COUNT = 16384, /* addresses busy within one second; 128 KB */
    PROBE_COUNT = 8     /* slots that one address may end up in */
};

/* A slot: address tag (32 bits), second modulo 4096 (12 bits), count (20 bits). */
enum { SECOND_MASK = 0xfff, COUNT_MASK = 0xfffff };

struct client_rate {
    unsigned limit;
    uint64_t seed; /* so that nobody outside can choose addresses that share slots */
    _Atomic uint64_t slots[SLOT_COUNT];
};

int
client_rate_new(unsigned requests_per_second, struct client_rate **ret_rate, struct fault *why)
{
    struct client_rate *rate = calloc(1, sizeof *rate);
    if (rate == NULL) {
        return fault_set(why, FAULT_MEMORY, "start", "no memory for the table of client addresses");
    }
    rate->limit = requests_per_second < COUNT_MASK ? requests_per_second : COUNT_MASK - 1;
    if (getrandom(&rate->seed, sizeof rate->seed, 0) != (ssize_t)sizeof rate->seed) {
        free(rate);
        return fault_set(why, FAULT_INTERNAL, "start", "the system gives no random bytes");
    }
    *ret_rate = rate;
    return 0;
}

void
client_rate_free(struct client_rate *rate)
{
    free(rate);
}

/* The finishing step of SplitMix64: every input bit reaches every output bit. */
static uint64_t
mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static uint64_t
address_hash(uint64_t seed, const char *peer)
{
    uint8_t address[16] = {0};
    uint64_t words[2];
    if (inet_pton(AF_INET, peer, address) != 1 && inet_pton(AF_INET6, peer, address) == 1 &&
        !IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)address)) {
        memset(address + 8, 0, 8); /* the /64 */
    }
    memcpy(words, address, sizeof words);
    return mix(mix(words[0] ^ seed) ^ words[1]);
}

static bool
slot_is_free(uint64_t slot, uint64_t second)
{
    return slot == 0 || ((slot >> 20) & SECOND_MASK) != second;
}

bool
client_rate_allows(struct client_rate *rate, const char *peer, int64_t now_ms)
{
    uint64_t hash = address_hash(rate->seed, peer);
    uint64_t tag = (hash >> 32) | 1; /* never 0, so that no used slot looks empty */
    uint64_t second = (uint64_t)(now_ms / 1000) & SECOND_MASK;
    uint64_t fresh = (tag << 32) | (second << 20) | 1;
    for (size_t probe = 0; probe < PROBE_COUNT; probe++) {
        _Atomic uint64_t *place = &rate->slots[(hash + probe) % SLOT_COUNT];
        uint64_t slot = atomic_load_explicit(place, memory_order_relaxed);
        for (;;) {
            uint64_t next = fresh;
            if (!slot_is_free(slot, second)) {
                if (slot >> 32 != tag) {
                    break; /* somebody else's: look at the next one */
                }
                if ((slot & COUNT_MASK) >= rate->limit) {
                    return false;
                }
                next = slot + 1;
            }
            if (atomic_compare_exchange_weak_explicit(place, &slot, next, memory_order_relaxed,
                                                      memory_order_relaxed)) {
                return true;
            }
        }
    }
    return true;
}
