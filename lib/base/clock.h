/* base/clock.h - time and chance, behind a seam so that a test can hold both still. */
#ifndef MLR_BASE_CLOCK_H
#define MLR_BASE_CLOCK_H
#include <stddef.h>
#include <stdint.h>

uint64_t mlr_clock_ms(void);                  /* monotonic */
uint64_t mlr_clock_us(void);                  /* likewise: for what takes less than a millisecond */
int64_t  mlr_clock_wall_ms(void);             /* since 1970, UTC */
void     mlr_random(void *out, size_t len);   /* from the system; never fails, or the process cannot go on: aborts */
uint32_t mlr_random_below(uint32_t n);        /* 0 .. n-1, unbiased; n of 0 gives 0 */
void     mlr_random_name(char out[17]);       /* 16 characters of [a-z0-9] and a zero */
/* RFC 3339 in UTC ("2026-11-23T21:08:00Z"); `out` holds 21 bytes. */
void     mlr_clock_rfc3339(int64_t wall_ms, char out[21]);

typedef struct mlr_clock {                    /* the seam; a NULL member is the system's */
    uint64_t (*ms)(void *user);
    int64_t (*wall_ms)(void *user);
    void (*random)(void *user, void *out, size_t len);
    void (*sleep_ms)(void *user, uint64_t ms); /* in place of a real wait in mlr_op_sleep */
    void *user;
} mlr_clock;
void mlr_clock_use(const mlr_clock *clock);   /* NULL: the system's */
const mlr_clock *mlr_clock_in_use(void);      /* NULL: the system's */
#endif
