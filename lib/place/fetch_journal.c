/* place/fetch_journal.c - what came goes into the journal, and nobody receives far ahead of it: a killed process loses one slab a connection.
 *
 * The journal does not wait for the disk: what a process wrote outlives it, and whoever goes on after a power cut reads all of it again. */
#include "base/clock.h"
#include "place/fetch_parts.h"
#include "place/partial.h"

#define AT_ONCE    64                        /* slabs that are noted by one pass */
#define STEP_BYTES (MLR_SLAB_BYTES / 4)      /* of one slab, or the journal grows for nothing */

static uint64_t unnoted(const mlr_fetch_state *f)
{
    return f->seen.bytes - f->noted;
}

static uint64_t allowed(const mlr_fetch_state *f)
{
    return f->n_live * MLR_SLAB_BYTES;
}

/* Of slab i, or of all together there is much that the journal lacks. */
static bool is_worth_it(const mlr_fetch_state *f, size_t i, uint64_t had)
{
    uint64_t there = f->slabs.slabs[i].there;

    return there == mlr_slabs_length(&f->slabs, i) || there - had >= STEP_BYTES || 2 * unnoted(f) >= allowed(f);
}

/* What is worth noting, or all that is there. Gives the number of slabs, and the bytes that are new. */
static size_t collect(mlr_fetch_state *f, bool all, mlr_journal_slab out[AT_ONCE], uint64_t *bytes)
{
    size_t n = 0, k = 0;

    while (k < f->n_begun && n < AT_ONCE) {
        uint32_t i = f->begun[k], there = f->slabs.slabs[i].there;
        uint64_t sum, had = mlr_partial_there(f->partial, i, &sum);

        if (there > had && (all || is_worth_it(f, i, had))) {
            out[n++] = (mlr_journal_slab){ f->sums[i], i, there };
            *bytes += there - had;
        }
        if (there == mlr_slabs_length(&f->slabs, i))
            f->begun[k] = f->begun[--f->n_begun];
        else
            k++;
    }
    return n;
}

int mlr_fetch_note(mlr_fetch_state *f, bool all, mlreg_error **err)
{
    mlr_journal_slab slabs[AT_ONCE];
    mlr_sha256       midstate = f->midstate;
    uint64_t         bytes = 0;
    size_t           n;
    int              rc;

    if (f->partial == NULL || f->is_noting)
        return 0;
    n = collect(f, all, slabs, &bytes);
    if (n == 0 && midstate.bytes == mlr_partial_hashed(f->partial))
        return 0;
    f->is_noting = true;
    pthread_mutex_unlock(&f->lock);
    rc = mlr_partial_note(f->partial, slabs, n, &midstate, err);
    pthread_mutex_lock(&f->lock);
    f->is_noting = false;
    f->noted += bytes;
    pthread_cond_broadcast(&f->nearer);
    if (f->noted - f->synced >= MLR_SLAB_BYTES)
        pthread_cond_broadcast(&f->news);
    return rc < 0 ? rc : 1;
}

int mlr_fetch_sync(mlr_fetch_state *f, mlreg_error **err)
{
    uint64_t from_us = mlr_clock_us(), to = f->noted;
    int      rc;

    if (to - f->synced < MLR_SLAB_BYTES)
        return 0;
    pthread_mutex_unlock(&f->lock);
    rc = mlr_partial_sync(f->partial, err);
    mlr_op_spent(f->op, MLR_N_US_SYNCED, from_us);
    pthread_mutex_lock(&f->lock);
    f->synced = to;
    return rc < 0 ? rc : 1;
}

/* Others may be receiving a chunk each, which is not counted yet. */
static bool is_far_ahead(const mlr_fetch_state *f)
{
    return f->partial != NULL && unnoted(f) + f->n_live * (uint64_t)MLR_CHUNK_BYTES > allowed(f);
}

int mlr_fetch_await_journal(mlr_line *l, mlr_op *op, mlreg_error **err)
{
    mlr_fetch_state *f = l->of;
    uint64_t         from_ms = mlr_clock_ms(), waited_ms;
    int              rc = 0;

    pthread_mutex_lock(&f->lock);
    while (rc == 0 && is_far_ahead(f))
        rc = mlr_work_wait(&f->nearer, &f->lock, op, err);
    waited_ms = mlr_clock_ms() - from_ms;
    f->seen.held_ms += waited_ms;
    l->since_ms += waited_ms;                   /* it is not slow */
    pthread_mutex_unlock(&f->lock);
    return rc;
}
