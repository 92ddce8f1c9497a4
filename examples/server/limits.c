/* limits.c - what a request may cost: its size, how often one address comes, and what the disk has left. */
#include "serve.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define SLOTS      4096               /* addresses that share a slot share its rate */
#define LOOK_BYTES (4 << 20)          /* of bodies, at most, before the disk is looked at again */

struct rates {
    pthread_mutex_t lock;             /* guards the rest */
    struct { uint64_t second; unsigned n; } slots[SLOTS];
};

struct rates *rates_new(void)
{
    struct rates *rates = calloc(1, sizeof *rates);

    if (rates != NULL)
        pthread_mutex_init(&rates->lock, NULL);
    return rates;
}

void rates_free(struct rates *rates)
{
    if (rates != NULL)
        pthread_mutex_destroy(&rates->lock);
    free(rates);
}

/* An IPv6 host has a whole /64. */
static size_t slot_of(const request *r)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info != NULL ? info->client_addr : NULL;
    const unsigned char *bytes = a == NULL ? NULL : a->sa_family == AF_INET6 ? (const unsigned char *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr
        : (const unsigned char *)&((const struct sockaddr_in *)(const void *)a)->sin_addr;
    size_t n = a == NULL ? 0 : a->sa_family == AF_INET6 ? 8 : 4, hash = 5381;

    for (size_t i = 0; i < n; i++)
        hash = hash * 33 + bytes[i];
    return hash % SLOTS;
}

static bool is_too_often(request *r)
{
    struct rates *rates = r->s->rates;
    uint64_t second = now_ms() / 1000;
    size_t i = slot_of(r);
    bool is;

    pthread_mutex_lock(&rates->lock);
    if (rates->slots[i].second != second) {
        rates->slots[i].second = second;
        rates->slots[i].n = 0;
    }
    is = ++rates->slots[i].n > r->s->options->max_requests_per_s;
    pthread_mutex_unlock(&rates->lock);
    return is;
}

static void answer_disk_full(request *r)
{
    answer_error(r, MHD_HTTP_INSUFFICIENT_STORAGE, "UNKNOWN", "this registry's disk is full", NULL);
}

/* Above what is to stay free; negative, where not even that is. */
static int64_t spare_bytes(const server *s)
{
    struct statvfs st;
    uint64_t left;

    if (statvfs(s->options->store, &st) != 0)
        return INT64_MAX;
    left = (uint64_t)st.f_bavail * st.f_frsize;
    return (left < INT64_MAX ? (int64_t)left : INT64_MAX) - (int64_t)s->options->min_free_bytes;
}

static bool is_disk_full(int64_t spare, uint64_t more)
{
    return spare < 0 || more > (uint64_t)spare;
}

/* Streams do not say how long they are, and others fill the disk meanwhile. Where it is another machine's, to look at it is a question to
 * that: so all bodies together first bring some of what was seen to be free. */
bool limits_room(request *r, size_t more)
{
    atomic_llong *unlooked = &r->s->unlooked_bytes;
    int64_t spare, piece = (int64_t)more;

    if (r->s->options->min_free_bytes == 0 || atomic_fetch_sub(unlooked, piece) >= piece)
        return true;
    spare = spare_bytes(r->s);
    atomic_store(unlooked, (spare < LOOK_BYTES ? spare : LOOK_BYTES) - piece);
    if (is_disk_full(spare, more))
        answer_disk_full(r);
    return r->status == 0;
}

bool limits_check(request *r)
{
    static const header later[] = { { "Retry-After", "1" }, { NULL, NULL } };
    const serve_options *o = r->s->options;
    const char *length = request_header(r, "Content-Length");
    uint64_t bytes = length != NULL ? strtoull(length, NULL, 10) : 0;

    if (o->max_requests_per_s != 0 && is_too_often(r))
        answer_error(r, MHD_HTTP_TOO_MANY_REQUESTS, "TOOMANYREQUESTS", "too many requests from your address", later);
    else if (o->max_bytes != 0 && bytes > o->max_bytes)
        answer_error(r, MHD_HTTP_CONTENT_TOO_LARGE, "SIZE_INVALID", "the request is larger than this registry allows", NULL);
    else if (o->min_free_bytes != 0 && r->route->body != NULL && is_disk_full(spare_bytes(r->s), bytes))
        answer_disk_full(r);
    return r->status == 0;
}
