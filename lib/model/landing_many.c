/* model/landing_many.c - small files put in their place a few at a time, for few syncs. */
#include "model/landing.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/inside.h"

/* Opened once more: of one that others sync by, too, only one would hear of a failure. */
int mlr_landings_begin(mlr_landings *s, const mlr_ground *ground, mlreg_error **err)
{
    struct stat st;
    int rc = mlr_inside_open_dir(ground->fd, ".", ground->path, &s->ground, err);

    if (rc == 0 && (rc = mlr_fs_stat_fd(s->ground, ground->path, &st, err)) == 0)
        s->device = st.st_dev;
    return rc;
}

static int sync_all(const mlr_landings *s, bool folders, mlreg_error **err)
{
    const char *names[MLR_LANDINGS_MAX];
    int fds[MLR_LANDINGS_MAX];

    for (size_t i = 0; i < s->n; i++) {
        names[i] = s->items[i].shown;
        fds[i] = folders ? s->items[i].dir : s->items[i].temp.fd;
    }
    return mlr_fs_sync_many(s->ground, fds, names, s->n, err);
}

static void forget(mlr_landings *s)
{
    for (size_t i = 0; i < s->n; i++) {
        mlr_landing_done(&s->items[i]);
        mlr_free(s->names[i]);
    }
    s->n = 0;
}

static int publish(mlr_landings *s, mlr_op *op, mlreg_error **err)
{
    uint64_t from_us = mlr_clock_us();
    int rc = sync_all(s, false, err);

    for (size_t i = 0; i < s->n && rc == 0; i++)
        rc = mlr_temp_give_name_in(&s->items[i].temp, s->items[i].last, s->items[i].shown, true, err);
    if (rc == 0)
        rc = sync_all(s, true, err);
    mlr_op_spent(op, MLR_N_US_SYNCED, from_us);
    forget(s);
    return rc;
}

/* They are synced by their file system, and a folder may lie on another one. */
static bool is_elsewhere(const mlr_landings *s, const mlr_landing *l)
{
    struct stat st;

    return mlr_fs_stat_fd(l->dir, l->shown, &st, NULL) < 0 || st.st_dev != s->device;
}

int mlr_landings_add(mlr_landings *s, mlr_landing *l, mlr_op *op, mlreg_error **err)
{
    int rc;

    if (is_elsewhere(s, l))
        return mlr_landing_end(l, op, err);
    if (s->n == MLR_LANDINGS_MAX && (rc = publish(s, op, err)) < 0)
        return rc;
    if ((s->names[s->n] = mlr_strdup(l->last)) == NULL)
        return mlr_error_nomem(err);
    s->items[s->n] = *l;
    s->items[s->n].last = s->names[s->n];
    s->n++;
    *l = (mlr_landing)MLR_LANDING_INIT;
    return 0;
}

int mlr_landings_end(mlr_landings *s, mlr_op *op, mlreg_error **err)
{
    return s->n > 0 ? publish(s, op, err) : 0;
}

void mlr_landings_done(mlr_landings *s)
{
    forget(s);
    mlr_fs_close(s->ground);
    s->ground = -1;
}
