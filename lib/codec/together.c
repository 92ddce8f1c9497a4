/* codec/together.c - SHA-256 of several threads at once, in fewer passes. */
#include "codec/together.h"

#include <unistd.h>

#include "base/work.h"

#define ALONE_BYTES ((size_t)16 << 10)      /* less is done sooner than said */

struct job {
    mlr_sha256 *s;
    const void *data;
    size_t      len;
    bool        is_done;
    struct job *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   /* guards all below */
static pthread_cond_t  changed = PTHREAD_COND_INITIALIZER;
static struct job     *first, **end = &first;
static size_t          n_waiting, n_running;               /* jobs */
static unsigned        n_leaders, n_cores;

/* One leader fills its lanes before a second one begins, unless there is a core for each. */
static bool may_lead(void)
{
    if (n_waiting == 0)
        return false;
    if (n_leaders == 0 || n_waiting >= MLR_SHA256_SIDE_BY_SIDE)
        return n_leaders < n_cores;
    return n_leaders < n_cores && n_waiting + n_running <= n_cores / 2;
}

static size_t most_at_once(void)
{
    return n_waiting + n_running <= n_cores / 2 ? 1 : MLR_SHA256_SIDE_BY_SIDE;
}

static size_t take(struct job *jobs[], size_t most)
{
    size_t n = 0;

    while (n < most && first != NULL) {
        jobs[n++] = first;
        first = first->next;
    }
    if (first == NULL)
        end = &first;
    n_waiting -= n;
    n_running += n;
    return n;
}

static void run(struct job *const jobs[], size_t n)
{
    mlr_sha256 *s[MLR_SHA256_SIDE_BY_SIDE];
    const void *data[MLR_SHA256_SIDE_BY_SIDE];
    size_t      len[MLR_SHA256_SIDE_BY_SIDE];

    for (size_t i = 0; i < n; i++) {
        s[i] = jobs[i]->s;
        data[i] = jobs[i]->data;
        len[i] = jobs[i]->len;
    }
    mlr_sha256_update_many(s, data, len, n);
}

/* The lock is held on entry and return, not meanwhile. */
static void lead(void)
{
    struct job *jobs[MLR_SHA256_SIDE_BY_SIDE];
    size_t      n = take(jobs, most_at_once());

    n_leaders++;
    pthread_mutex_unlock(&lock);
    run(jobs, n);
    pthread_mutex_lock(&lock);
    n_leaders--;
    n_running -= n;
    for (size_t i = 0; i < n; i++)
        jobs[i]->is_done = true;
    pthread_cond_broadcast(&changed);
}

static unsigned count_cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? (unsigned)n : 1;
}

void mlr_sha256_update_together(mlr_sha256 *s, const void *data, size_t len)
{
    struct job job = { .s = s, .data = data, .len = len };

    if (len < ALONE_BYTES) {
        mlr_sha256_update(s, data, len);
        return;
    }
    pthread_mutex_lock(&lock);
    if (n_cores == 0)
        n_cores = count_cores();
    *end = &job;
    end = &job.next;
    n_waiting++;
    while (!job.is_done)
        if (may_lead())
            lead();
        else
            (void)mlr_work_wait(&changed, &lock, NULL, NULL);
    pthread_mutex_unlock(&lock);
}
