/* place/slabs.c - a blob in slabs: which are there, and who fetches which next. */
#include "place/slabs.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"

static size_t slab_of(uint64_t offset)
{
    return (size_t)(offset / MLR_SLAB_BYTES);
}

static uint64_t start_of(size_t i)
{
    return i * MLR_SLAB_BYTES;
}

static uint64_t end_of(const mlr_slabs *s, size_t i)
{
    return start_of(i) + mlr_slabs_length(s, i);
}

int mlr_slabs_init(mlr_slabs *s, uint64_t bytes, mlreg_error **err)
{
    size_t n = (size_t)((bytes + MLR_SLAB_BYTES - 1) / MLR_SLAB_BYTES);

    *s = (mlr_slabs){ .bytes = bytes, .n = n };
    if ((s->slabs = mlr_alloc_array(n, sizeof *s->slabs)) == NULL)
        return mlr_error_nomem(err);
    return 0;
}

void mlr_slabs_done(mlr_slabs *s)
{
    mlr_free(s->slabs);
    s->slabs = NULL;
}

size_t mlr_slabs_length(const mlr_slabs *s, size_t i)
{
    uint64_t left = s->bytes - start_of(i);

    return (size_t)(left < MLR_SLAB_BYTES ? left : MLR_SLAB_BYTES);
}

void mlr_slabs_have(mlr_slabs *s, size_t i, uint32_t there)
{
    struct mlr_slab *slab = &s->slabs[i];

    slab->received = slab->there = there;
    slab->is_taken = there == mlr_slabs_length(s, i);
    s->n_whole += slab->is_taken;
}

/* ---- runs ---- */

size_t mlr_slabs_lowest(mlr_slabs *s)
{
    while (s->low < s->n && s->slabs[s->low].is_taken)
        s->low++;
    return s->low;
}

static void set_free(mlr_slabs *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        s->slabs[i].is_taken = false;
    if (from < s->low && from < to)
        s->low = from;
}

/* Whole slabs behind the one that it is at. */
static size_t spare(const mlr_run *r)
{
    return r->at < r->end ? slab_of(r->end - 1) - slab_of(r->at) : 0;
}

static mlr_run *longest_run(const mlr_slabs *s)
{
    mlr_run *longest = NULL;

    for (size_t i = 0; i < s->n_runs; i++)
        if (spare(s->runs[i]) > 0 && (longest == NULL || spare(s->runs[i]) > spare(longest)))
            longest = s->runs[i];
    return longest;
}

bool mlr_slabs_can_help(mlr_slabs *s)
{
    return s->n_runs < MLR_RUNS_MAX && (mlr_slabs_lowest(s) < s->n || longest_run(s) != NULL);
}

/* The one with most to do keeps the nearer half of it, or `most` slabs. */
static void relieve(mlr_slabs *s, size_t most)
{
    mlr_run *longest = longest_run(s);
    size_t   keep;

    if (longest == NULL)
        return;
    keep = 1 + spare(longest) / 2;
    keep = slab_of(longest->at) + (keep < most ? keep : most);
    set_free(s, keep, slab_of(longest->end - 1) + 1);
    longest->end = start_of(keep);
}

bool mlr_slabs_take(mlr_slabs *s, mlr_run *r, size_t most)
{
    size_t first, i;

    assert(!r->is_taken && most > 0);
    if (s->n_runs == MLR_RUNS_MAX)
        return false;
    if (mlr_slabs_lowest(s) == s->n)
        relieve(s, most);
    if ((first = mlr_slabs_lowest(s)) == s->n)
        return false;
    for (i = first; i < s->n && i - first < most && !s->slabs[i].is_taken; i++) {
        if (i > first && s->slabs[i].received > 0)
            break;              /* begun by somebody who gave up: a run has no holes */
        s->slabs[i].is_taken = true;
    }
    *r = (mlr_run){ start_of(first) + s->slabs[first].received, end_of(s, i - 1), true };
    s->runs[s->n_runs++] = r;
    return true;
}

size_t mlr_slabs_next(const mlr_slabs *s, const mlr_run *r)
{
    uint64_t left = r->is_taken ? r->end - r->at : 0;

    (void)s;
    return (size_t)(left < MLR_CHUNK_BYTES ? left : MLR_CHUNK_BYTES);
}

static void forget(mlr_slabs *s, const mlr_run *r)
{
    for (size_t i = 0; i < s->n_runs; i++)
        if (s->runs[i] == r)
            s->runs[i--] = s->runs[--s->n_runs];
}

void mlr_slabs_advance(mlr_slabs *s, mlr_run *r, size_t len)
{
    s->slabs[slab_of(r->at)].received += (uint32_t)len;
    r->at += len;
    if (r->at < r->end)
        return;
    r->is_taken = false;
    forget(s, r);
}

void mlr_slabs_drop(mlr_slabs *s, mlr_run *r)
{
    if (!r->is_taken)
        return;
    r->is_taken = false;
    set_free(s, slab_of(r->at), slab_of(r->end - 1) + 1);
    forget(s, r);
}

/* ---- bytes ---- */

void mlr_slabs_put(mlr_slabs *s, uint64_t offset, size_t len)
{
    struct mlr_slab *slab = &s->slabs[slab_of(offset)];

    assert(start_of(slab_of(offset)) + slab->there == offset);
    slab->there += (uint32_t)len;
    if (slab->there == mlr_slabs_length(s, slab_of(offset)))
        s->n_whole++;
}

uint64_t mlr_slabs_there(const mlr_slabs *s, uint64_t offset)
{
    size_t   i = slab_of(offset);
    uint64_t there = offset < s->bytes ? start_of(i) + s->slabs[i].there : 0;

    return there > offset ? there - offset : 0;
}
