/* tests/place/test_fetch.c - one blob over several connections: whole, each byte once, whatever single ones do. */
#include "place/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/work.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"
#include "place/partial.h"
#include "place/slabs.h"

#define BYTES (6 * MLR_SLAB_BYTES + 12345)

static uint8_t   *bytes;
static mlr_digest digest;

/* What all connections of one blob share. */
static struct {
    atomic_uint  n_twins;            /* that ever were */
    atomic_ullong read;              /* bytes, by all of them */
    atomic_uint  ms_per_chunk;
    int          twins_say;          /* what a twin's reads fail with; 0: nothing */
    int          first_says;         /* what the first one's reads fail with … */
    uint64_t     first_fails_at;     /* … from there on; 0: never */
    bool         second_stands_still;
    uint64_t     endless;            /* so long instead, and each of its chunks made of one letter; 0: `bytes` */
    void       (*look)(void);        /* at each read; may be NULL */
    unsigned     answer_ms;          /* before the first bytes of what does not go on from the last read */
    atomic_uint  n_given_up;         /* reads that were stopped while they waited for that */
    unsigned     second_is_deaf;     /* so many reads later it waits to be stopped, and brings its bytes all the same; 0: never */
} far_away;

struct tap { mlr_reader reader; unsigned number; uint64_t at; };

static int letter_at(uint64_t offset)
{
    return 'a' + (int)(offset / MLR_CHUNK_BYTES % 23);
}

static int64_t tap_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    struct tap *t = (struct tap *)r;

    if (far_away.answer_ms > 0 && (offset != t->at || offset == 0) && mlr_op_sleep(op, far_away.answer_ms, err) < 0) {
        far_away.n_given_up++;
        return MLREG_ECANCELLED;
    }
    t->at = offset + len;
    if (t->number > 0 && far_away.twins_say < 0)
        return mlr_error_set(err, far_away.twins_say, "not for twins");
    if (t->number == 0 && far_away.first_fails_at > 0 && offset >= far_away.first_fails_at)
        return mlr_error_set(err, far_away.first_says, "the line is dead");
    while (t->number == 1 && far_away.second_stands_still)
        if (mlr_op_sleep(op, 60000, err) < 0)
            return MLREG_ECANCELLED;
    if (t->number == 1 && far_away.second_is_deaf > 0 && --far_away.second_is_deaf == 0) {
        while (!mlr_op_cancelled(op))
            mlr_op_sleep(NULL, 1, NULL);
    } else if (mlr_op_sleep(op, far_away.ms_per_chunk, err) < 0) {
        return MLREG_ECANCELLED;
    }
    if (far_away.endless > 0)
        memset(buf, letter_at(offset), len);
    else
        memcpy(buf, bytes + offset, len);
    far_away.read += len;
    if (far_away.look != NULL)
        far_away.look();
    return (int64_t)len;
}

static void tap_free(mlr_reader *r)
{
    mlr_free(r);
}

static int tap_new(unsigned number, mlr_reader **out);

static int tap_twin(mlr_reader *r, mlr_reader **out, mlreg_error **err)
{
    (void)r;
    (void)err;
    return tap_new(++far_away.n_twins, out);
}

static int tap_new(unsigned number, mlr_reader **out)
{
    static const mlr_reader_ops ops = { .read_at = tap_read_at, .free = tap_free, .twin = tap_twin };
    struct tap *t = mlr_alloc(sizeof *t);

    if (t == NULL)
        return MLREG_ENOMEM;
    *t = (struct tap){ { &ops, far_away.endless > 0 ? far_away.endless : BYTES, -1, false, "the tap" }, number, 0 };
    *out = &t->reader;
    return 0;
}

typedef struct fixture {
    char        *dir;
    mlr_runtime *rt;
    mlr_op      *op;
    mlr_reader  *r;
    int          fd;
    mlreg_error *err;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    memset(&far_away, 0, sizeof far_away);
    f->dir = bed_dir_new();
    f->fd = open(bed_at(f->dir, "blob"), O_RDWR | O_CREAT, 0600);
    assert_true(f->fd >= 0);
    assert_int_equal(mlr_runtime_new(NULL, &f->rt, NULL), 0);
    assert_int_equal(mlr_op_begin(NULL, &f->op, NULL), 0);
    assert_int_equal(tap_new(0, &f->r), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    uint64_t all = mlr_runtime_limits(f->rt)->memory_bytes;

    assert_int_equal(mlr_runtime_memory_take(f->rt, all, NULL, NULL), 0);     /* all memory is back */
    mlr_runtime_memory_give(f->rt, all);
    mlr_reader_free(f->r);
    mlr_op_end(f->op);
    mlr_runtime_unref(f->rt);
    mlr_error_done(f->err);
    close(f->fd);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static int make_bytes(void **state)
{
    (void)state;
    bytes = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)(i * 167 + (i >> 8) + (i >> 16));
    mlr_digest_of(bytes, BYTES, &digest);
    return 0;
}

static int drop_bytes(void **state)
{
    (void)state;
    free(bytes);
    return 0;
}

static void assert_whole(int fd)
{
    uint8_t *got = malloc(BYTES);

    assert_int_equal(pread(fd, got, BYTES, 0), BYTES);
    assert_memory_equal(got, bytes, BYTES);
    free(got);
}

static int fetch(fixture *f, mlr_partial *p)
{
    mlr_digest got = { "" };
    int        rc = mlr_fetch(f->rt, f->r, p != NULL ? mlr_partial_fd(p) : f->fd, "blob", p, f->op, &got, &f->err);

    if (rc == 0) {
        assert_string_equal(got.text, digest.text);
        assert_whole(p != NULL ? mlr_partial_fd(p) : f->fd);
    }
    return rc;
}

static void test_fetch__takes_one_connection_where_that_is_fast(void **state)
{
    fixture *f = *state;

    assert_int_equal(fetch(f, NULL), 0);
    assert_int_equal(far_away.read, BYTES);
}

static void test_fetch__takes_more_where_they_are_faster(void **state)
{
    fixture *f = *state;

    far_away.ms_per_chunk = 8;
    assert_int_equal(fetch(f, NULL), 0);
    assert_true(far_away.n_twins > 0);
    assert_int_equal(far_away.read, BYTES);
}

static void test_fetch__goes_on_alone_where_others_are_refused(void **state)
{
    static const int words[] = { MLREG_ENOTSUP, MLREG_ENET, MLREG_ETIMEDOUT, MLREG_EDENIED, MLREG_EPROTO };
    fixture         *f = *state;

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        far_away.ms_per_chunk = 2;
        far_away.twins_say = words[i];
        far_away.read = 0;
        assert_int_equal(fetch(f, NULL), 0);
        assert_int_equal(far_away.read, BYTES);
    }
}

static void test_fetch__does_not_wait_for_one_that_stands_still(void **state)
{
    fixture *f = *state;

    far_away.ms_per_chunk = 10;
    far_away.second_stands_still = true;
    assert_int_equal(fetch(f, NULL), 0);
}

static void test_fetch__leaves_nothing_undone_when_one_is_stopped_between_two_reads(void **state)
{
    fixture   *f = *state;
    mlr_limits limits = { .connections = 6 };

    mlr_runtime_unref(f->rt);
    assert_int_equal(mlr_runtime_new(&limits, &f->rt, NULL), 0);
    far_away.ms_per_chunk = 40;
    far_away.second_is_deaf = 4;
    assert_int_equal(fetch(f, NULL), 0);
}

static void test_fetch__fails_with_what_the_first_says(void **state)
{
    fixture *f = *state;

    far_away.twins_say = MLREG_ENOTSUP;      /* or one of them might bring what the first fails at */
    for (unsigned ms = 0; ms <= 4; ms += 4) {
        far_away.ms_per_chunk = ms;
        far_away.first_says = MLREG_EAUTH;
        far_away.first_fails_at = MLR_SLAB_BYTES;
        assert_int_equal(fetch(f, NULL), MLREG_EAUTH);
        assert_non_null(f->err);
        assert_string_equal(f->err->message, "the line is dead");
        mlr_error_done(f->err);
        f->err = NULL;
    }
}

static void test_fetch__fails_when_the_disk_does(void **state)
{
    fixture *f = *state;

    fs_fault_arm_only(MLR_FS_WRITE, 5, 1, ENOSPC);
    assert_int_equal(fetch(f, NULL), MLREG_EIO);
    fs_fault_disarm();
    assert_non_null(strstr(f->err->message, "cannot write blob"));
}

static mlr_digest digest_of_endless(void)
{
    uint8_t   *chunk = malloc(MLR_CHUNK_BYTES);
    mlr_sha256 s;
    mlr_digest d;

    mlr_sha256_init(&s);
    for (uint64_t at = 0; at < far_away.endless; at += MLR_CHUNK_BYTES) {
        memset(chunk, letter_at(at), MLR_CHUNK_BYTES);
        mlr_sha256_update(&s, chunk, MLR_CHUNK_BYTES);
    }
    free(chunk);
    mlr_digest_final(&s, &d);
    return d;
}

/* Slow enough for a second connection to be tried wherever this runs, and then faster than anybody hashes. */
static void hurry_once_there_are_two(void)
{
    if (far_away.n_twins > 0)
        far_away.ms_per_chunk = 1;
}

/* 192 MiB over at most four connections, as far away as was said. */
static void assert_endless_comes(fixture *f, unsigned ms_per_chunk)
{
    mlr_limits limits = { .connections = 4 };
    mlr_digest got;

    mlr_runtime_unref(f->rt);
    assert_int_equal(mlr_runtime_new(&limits, &f->rt, NULL), 0);
    mlr_reader_free(f->r);
    far_away.endless = 24 * MLR_SLAB_BYTES;
    far_away.ms_per_chunk = ms_per_chunk;
    assert_int_equal(tap_new(0, &f->r), 0);
    assert_int_equal(mlr_fetch(f->rt, f->r, f->fd, "blob", NULL, f->op, &got, &f->err), 0);
    assert_string_equal(got.text, digest_of_endless().text);
    assert_true(far_away.n_twins > 0);
}

/* More slabs than connections may be ahead of what is hashed. */
static void test_fetch__is_whole_when_connections_outrun_the_hash(void **state)
{
    far_away.look = hurry_once_there_are_two;
    assert_endless_comes(*state, 8);
    assert_true(far_away.read >= far_away.endless);
}

static void test_fetch__asks_seldom_and_waits_where_answers_are_slow(void **state)
{
    far_away.answer_ms = 1300;
    assert_endless_comes(*state, 10);
    assert_int_equal(far_away.n_given_up, 0);
}

static int cancel_soon(void *op, mlr_op *own, mlreg_error **err)
{
    int rc = mlr_op_sleep(own, 150, err);

    mlr_op_cancel(op);
    return rc;
}

static void test_fetch__ends_when_cancelled(void **state)
{
    fixture   *f = *state;
    mlr_group *g;

    far_away.ms_per_chunk = 30;
    assert_int_equal(mlr_group_new(f->rt, NULL, 1, &g, NULL), 0);
    assert_int_equal(mlr_group_add(g, cancel_soon, f->op, NULL), 0);
    assert_int_equal(fetch(f, NULL), MLREG_ECANCELLED);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    mlr_group_free(g);
}

static void test_fetch__fetches_no_slab_again_that_was_there(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = NULL;
    uint64_t     before;
    mlreg_stats  stats;
    mlreg_op    *remote;
    uint64_t     there = 0;

    far_away.twins_say = MLREG_ENOTSUP;      /* which slabs are there then depends on the first alone */
    far_away.first_says = MLREG_EDENIED;
    far_away.first_fails_at = 4 * MLR_SLAB_BYTES;
    assert_int_equal(mlr_partial_lock(f->dir, &digest, BYTES, NULL, &p, NULL), 0);
    assert_int_equal(mlr_partial_begin(p, NULL, NULL), 0);
    assert_int_equal(fetch(f, p), MLREG_EDENIED);
    mlr_partial_free(p);
    before = far_away.read;
    far_away.first_fails_at = 0;
    mlr_op_end(f->op);
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &f->op, NULL), 0);
    assert_int_equal(mlr_partial_lock(f->dir, &digest, BYTES, NULL, &p, NULL), 0);
    assert_int_equal(mlr_partial_begin(p, NULL, NULL), 0);
    for (size_t i = 0; i < 7; i++)
        there += mlr_partial_there(p, i, &(uint64_t){ 0 });
    assert_in_range(there, 3 * MLR_SLAB_BYTES, 4 * MLR_SLAB_BYTES);
    assert_int_equal(fetch(f, p), 0);
    assert_int_equal(far_away.read - before, BYTES - there);
    mlr_remote_stats(remote, &stats);
    assert_int_equal(stats.bytes_resumed, there);
    mlr_partial_free(p);
    mlr_remote_free(remote);
}

/* ---- how far the journal is behind ---- */

static struct { char *path; uint64_t most_lost; } kept;

static int slow_disk(mlr_fs_call call, const char *name, void *user)
{
    size_t len = strlen(name), end = strlen(".journal");

    (void)user;
    if (call == MLR_FS_SYNC || (call == MLR_FS_WRITE && len > end && strcmp(name + len - end, ".journal") == 0))
        mlr_op_sleep(NULL, 30, NULL);
    return 0;
}

/* What a process that is killed now has received in vain. By the first connection: there is no other. */
static void look_at_journal(void)
{
    mlr_journal_said said;
    uint64_t         noted = 0;
    int              fd = open(kept.path, O_RDONLY);

    assert_true(fd >= 0);
    if (mlr_journal_read(fd, 7, &said, "the journal", NULL) == 1) {
        for (size_t i = 0; i < said.n; i++)
            noted += said.there[i];
        mlr_journal_said_done(&said);
    }
    close(fd);
    if (far_away.read > noted + kept.most_lost)
        kept.most_lost = far_away.read - noted;
}

static void test_fetch__is_no_further_ahead_of_the_journal_than_a_slab(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = NULL;

    far_away.twins_say = MLREG_ENOTSUP;
    assert_true(asprintf(&kept.path, "%s/%s.journal", f->dir, mlr_digest_hex(&digest)) > 0);
    assert_int_equal(mlr_partial_lock(f->dir, &digest, BYTES, NULL, &p, NULL), 0);
    assert_int_equal(mlr_partial_begin(p, NULL, NULL), 0);
    far_away.look = look_at_journal;
    mlr_fs_use(slow_disk, NULL);
    assert_int_equal(fetch(f, p), 0);
    mlr_fs_use(NULL, NULL);
    assert_in_range(kept.most_lost, 1, MLR_SLAB_BYTES);
    mlr_partial_free(p);
    free(kept.path);
}

static void test_fetch__without_threads_reads_in_order(void **state)
{
    fixture    *f = *state;
    mlr_limits  limits = { .threads = (uint32_t)MLREG_NONE };

    mlr_runtime_unref(f->rt);
    assert_int_equal(mlr_runtime_new(&limits, &f->rt, NULL), 0);
    assert_int_equal(fetch(f, NULL), 0);
    assert_int_equal(far_away.n_twins, 0);
}

#define fetch_test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

/* What was begun with too few threads and given up again is no failure. */
static void test_fetch__with_one_thread_reads_in_order(void **state)
{
    fixture   *f = *state;
    mlr_limits limits = { .threads = 1 };

    mlr_runtime_unref(f->rt);
    assert_int_equal(mlr_runtime_new(&limits, &f->rt, NULL), 0);
    assert_int_equal(fetch(f, NULL), 0);
    assert_int_equal(far_away.read, BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fetch_test(test_fetch__takes_one_connection_where_that_is_fast),
        fetch_test(test_fetch__takes_more_where_they_are_faster),
        fetch_test(test_fetch__goes_on_alone_where_others_are_refused),
        fetch_test(test_fetch__does_not_wait_for_one_that_stands_still),
        fetch_test(test_fetch__leaves_nothing_undone_when_one_is_stopped_between_two_reads),
        fetch_test(test_fetch__fails_with_what_the_first_says),
        fetch_test(test_fetch__fails_when_the_disk_does),
        fetch_test(test_fetch__is_whole_when_connections_outrun_the_hash),
        fetch_test(test_fetch__asks_seldom_and_waits_where_answers_are_slow),
        fetch_test(test_fetch__ends_when_cancelled),
        fetch_test(test_fetch__fetches_no_slab_again_that_was_there),
        fetch_test(test_fetch__is_no_further_ahead_of_the_journal_than_a_slab),
        fetch_test(test_fetch__without_threads_reads_in_order),
        fetch_test(test_fetch__with_one_thread_reads_in_order),
    };
    return cmocka_run_group_tests(tests, make_bytes, drop_bytes);
}
