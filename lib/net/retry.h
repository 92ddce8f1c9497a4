/* net/retry.h - when to try again and how long to wait: jittered backoff, Retry-After, a budget that progress renews. */
#ifndef MLR_NET_RETRY_H
#define MLR_NET_RETRY_H
#include <mlreg.h>
#include <stdbool.h>
#include "base/op.h"

typedef struct mlr_retry { uint32_t max, used; uint64_t began_ms, moved_bytes; } mlr_retry;
#define MLR_RETRY_INIT(max_tries) { (max_tries), 0, 0, 0 }
bool mlr_retry_status(int http_status);                      /* 408, 429, 500, 502, 503, 504 */
bool mlr_retry_code(int rc);                                 /* ENET, ETIMEDOUT */
void mlr_retry_progress(mlr_retry *r, uint64_t bytes);       /* after each MiB the count starts anew */
/* Waits before the next try, and counts it: 1; 0 when the tries are used up, or 120 s without progress would be, a try
 * that stalls for 30 s included; ECANCELLED. `retry_after` is the header's value (seconds or HTTP-date, capped at 60 s)
 * or NULL. Time runs from began_ms; 0: from the first call. */
int  mlr_retry_again(mlr_retry *r, const char *retry_after, mlr_op *op, mlreg_error **err);
/* The header's value in ms from now, or -1. */
int64_t mlr_retry_after_ms(const char *value, int64_t now_wall_ms);
#endif
