/* net/retry.c - when to try again and how long to wait: backoff with chance, Retry-After, a budget. */
#include "net/retry.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define FIRST_WAIT_MS       200
#define LONGEST_WAIT_MS     30000
#define RETRY_AFTER_MAX_MS  60000
#define NO_PROGRESS_MS      120000
#define TRY_MS              30000       /* what a stalling try costs: none begins that could end past NO_PROGRESS_MS */
#define PROGRESS_BYTES      (1u << 20)

bool mlr_retry_status(int http_status)
{
    switch (http_status) {
    case 408: case 429: case 500: case 502: case 503: case 504:
        return true;
    default:
        return false;
    }
}

bool mlr_retry_code(int rc)
{
    return rc == MLREG_ENET || rc == MLREG_ETIMEDOUT;
}

void mlr_retry_progress(mlr_retry *r, uint64_t bytes)
{
    r->moved_bytes += bytes;
    if (r->moved_bytes < PROGRESS_BYTES)
        return;
    r->used = 0;
    r->began_ms = mlr_clock_ms();
    r->moved_bytes = 0;
}

/* Doubles with every try; of the whole wait, a random part up to its half falls away, so that clients that failed
 * together do not come back together. */
static uint64_t backoff_ms(uint32_t used)
{
    uint64_t wait = used < 8 ? (uint64_t)FIRST_WAIT_MS << used : LONGEST_WAIT_MS;

    if (wait > LONGEST_WAIT_MS)
        wait = LONGEST_WAIT_MS;
    return wait - mlr_random_below((uint32_t)wait / 2 + 1);
}

static uint64_t wait_ms(const mlr_retry *r, const char *retry_after)
{
    uint64_t wait = backoff_ms(r->used);
    int64_t  asked = retry_after != NULL ? mlr_retry_after_ms(retry_after, mlr_clock_wall_ms()) : -1;

    if (asked > RETRY_AFTER_MAX_MS)
        asked = RETRY_AFTER_MAX_MS;
    return asked > (int64_t)wait ? (uint64_t)asked : wait;
}

int mlr_retry_again(mlr_retry *r, const char *retry_after, mlr_op *op, mlreg_error **err)
{
    uint64_t now = mlr_clock_ms(), wait = wait_ms(r, retry_after);
    int      rc;

    if (r->began_ms == 0)
        r->began_ms = now;
    if (r->used >= r->max || now - r->began_ms + wait + TRY_MS > NO_PROGRESS_MS)
        return 0;
    if ((rc = mlr_op_sleep(op, wait, err)) < 0)
        return rc;
    r->used++;
    mlr_op_count(op, MLR_N_RETRIES, 1);
    return 1;
}

/* ---- Retry-After: RFC 9110 §10.2.3 ---- */

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t");
}

/* Digits and nothing else; more of them than a wait could use count as the longest one. */
static int64_t seconds_ms(const char *value)
{
    size_t  digits = strspn(value, "0123456789");
    int64_t s = 0;

    if (digits == 0 || *skip_blanks(value + digits) != '\0')
        return -1;
    for (size_t i = 0; i < digits && s < INT32_MAX; i++)
        s = s * 10 + (value[i] - '0');
    return s * 1000;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the only form that may be sent; strptime would ask the host's locale for names. */
static int64_t date_wall_ms(const char *value)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char              month[4], zone[4];
    const char       *found;
    struct tm         tm;

    memset(&tm, 0, sizeof tm);
    if (sscanf(value, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3s", &tm.tm_mday, month, &tm.tm_year, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, zone) != 7 ||
        strcmp(zone, "GMT") != 0 || strlen(month) != 3)
        return -1;
    if ((found = strstr(months, month)) == NULL || (found - months) % 3 != 0)
        return -1;
    if (tm.tm_year < 1970 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
        tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
        return -1;
    tm.tm_mon = (int)((found - months) / 3);
    tm.tm_year -= 1900;
    return (int64_t)timegm(&tm) * 1000;
}

int64_t mlr_retry_after_ms(const char *value, int64_t now_wall_ms)
{
    int64_t ms, date;

    value = skip_blanks(value);
    if ((ms = seconds_ms(value)) >= 0)
        return ms;
    if ((date = date_wall_ms(value)) < 0)
        return -1;
    return date > now_wall_ms ? date - now_wall_ms : 0;
}
