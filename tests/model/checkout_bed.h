/* tests/model/checkout_bed.h - a folder to check out into, amid things that nothing may touch. Include after cmocka.h. */
#ifndef CHECKOUT_BED_H
#define CHECKOUT_BED_H
#include "model/checkout.h"
#include "model_bed.h"

/* The folder lies in a parent with sentinels in it, which nothing may touch. */
typedef struct fixture {
    char        *dir;          /* the parent */
    const char  *out;          /* dir/out */
    mlr_runtime *rt;
    mlr_place   *place;        /* memory */
    odd_place   *odd;          /* in front of it */
} fixture;

static inline int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    f->dir = bed_dir_new();
    f->out = strdup(bed_at(f->dir, "out"));
    bed_write(bed_at(f->dir, "x"), "sentinel");
    bed_write(bed_at(f->dir, "b"), "sentinel");
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &f->rt, NULL), 0);
    f->place = bed_open("memory:", 0, f->rt);
    f->odd = odd_place_new(f->place, "the source");
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    fixture *f = *state;

    bed_assert_file(bed_at(f->dir, "x"), "sentinel");
    bed_assert_file(bed_at(f->dir, "b"), "sentinel");
    assert_int_equal(bed_count(f->dir) - bed_exists(f->out), 2);
    assert_int_equal(f->odd->readers, 0);
    mlr_place_close(&f->odd->place);
    mlr_place_close(f->place);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    free((void *)f->out);
    free(f);
    return 0;
}

static inline int check_out(fixture *f, const mlr_manifest *m, const mlr_checkout *how, mlr_op *op, mlreg_error **err)
{
    const mlr_checkout all = { 0 };

    return mlr_checkout_run(&f->odd->place, REPO, m, f->out, how != NULL ? how : &all, op, err);
}

static inline struct stat stat_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st;
}

static inline mlr_digest digest_of(const char *text)
{
    mlr_digest d;

    mlr_digest_of(text, strlen(text), &d);
    return d;
}

static inline void cancel(void *user)
{
    mlr_remote_cancel(user);
}

static inline int is_old_or_new(const char *path, const char *old, const char *new)
{
    char got[64] = "";
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return old == NULL;
    assert_non_null(fgets(got, sizeof got, file));
    fclose(file);
    return strcmp(got, new) == 0 || (old != NULL && strcmp(got, old) == 0);
}

#endif
