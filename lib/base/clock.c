/* base/clock.c - time and chance, behind a seam so that a test can hold both still. */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static const mlr_clock *in_use;

void mlr_clock_use(const mlr_clock *clock)
{
    in_use = clock;
}

const mlr_clock *mlr_clock_in_use(void)
{
    return in_use;
}

uint64_t mlr_clock_us(void)
{
    struct timespec now;

    if (in_use != NULL && in_use->ms != NULL)
        return in_use->ms(in_use->user) * 1000;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t mlr_clock_ms(void)
{
    return mlr_clock_us() / 1000;
}

int64_t mlr_clock_wall_ms(void)
{
    struct timespec now;

    if (in_use != NULL && in_use->wall_ms != NULL)
        return in_use->wall_ms(in_use->user);
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void mlr_random(void *out, size_t len)
{
    unsigned char *p = out;

    if (in_use != NULL && in_use->random != NULL) {
        in_use->random(in_use->user, out, len);
        return;
    }
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);

        if (n < 0 && errno != EINTR)
            abort();                     /* names and nonces that repeat would destroy data */
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
}

uint32_t mlr_random_below(uint32_t n)
{
    uint32_t value, uneven;

    if (n == 0)
        return 0;
    uneven = (UINT32_MAX - n + 1) % n;   /* 2^32 mod n: so many values at the top would favour the small results */
    do
        mlr_random(&value, sizeof value);
    while (value > UINT32_MAX - uneven);
    return value % n;
}

void mlr_random_name(char out[17])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    for (int i = 0; i < 16; i++)
        out[i] = letters[mlr_random_below(sizeof letters - 1)];
    out[16] = '\0';
}

void mlr_clock_rfc3339(int64_t wall_ms, char out[21])
{
    static const int64_t year_0_s = -62167219200, year_9999_end_s = 253402300799;   /* what four digits can say */
    time_t               s = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
    struct tm            tm;
    char                 text[80];       /* what the compiler believes that six ints may need */

    s = s < year_0_s ? year_0_s : s > year_9999_end_s ? year_9999_end_s : s;
    gmtime_r(&s, &tm);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(out, text, 20);
    out[20] = '\0';
}
