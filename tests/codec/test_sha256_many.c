/* codec/test_sha256_many.c - many streams in one call have the sums they have alone, with every kernel and mix of lengths. */
#include "codec/sha256.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "codec/sha256_bed.h"

#define STREAMS_MAX 40

struct streams {
    mlr_sha256  states[STREAMS_MAX], *s[STREAMS_MAX];
    uint8_t    *data[STREAMS_MAX];                  /* each ends with its room: a read past it is seen by ASan */
    const void *pieces[STREAMS_MAX];
    size_t      lens[STREAMS_MAX], taken[STREAMS_MAX], piece_lens[STREAMS_MAX];
};

static void start_streams(struct streams *all, size_t n)
{
    memset(all->taken, 0, sizeof all->taken);
    for (size_t i = 0; i < n; i++) {
        all->s[i] = &all->states[i];
        mlr_sha256_init(all->s[i]);
        all->data[i] = random_bytes(all->lens[i] > 0 ? all->lens[i] : 1);
    }
}

/* A piece of each stream, or all that is left of it. */
static void take_pieces(struct streams *all, size_t n, bool rest)
{
    for (size_t i = 0; i < n; i++) {
        size_t left = all->lens[i] - all->taken[i];

        all->pieces[i] = left > 0 ? all->data[i] + all->taken[i] : NULL;
        all->piece_lens[i] = rest ? left : next_random() % (left + 1);
        all->taken[i] += all->piece_lens[i];
    }
    mlr_sha256_update_many(all->s, all->pieces, all->piece_lens, n);
}

static void save_and_restore(mlr_sha256 *s)
{
    uint8_t saved[MLR_SHA256_SAVED_BYTES];

    mlr_sha256_save(s, saved);
    memset(s, 0xee, sizeof *s);
    assert_true(mlr_sha256_restore(s, saved));
}

static void end_streams_like_sodium(struct streams *all, size_t n)
{
    uint8_t ours[32], theirs[32];

    for (size_t i = 0; i < n; i++) {
        mlr_sha256_final(all->s[i], ours);
        crypto_hash_sha256(theirs, all->data[i], all->lens[i]);
        assert_memory_equal(ours, theirs, sizeof ours);
        free(all->data[i]);
    }
}

static void assert_streams_like_sodium(struct streams *all, size_t n)
{
    start_streams(all, n);
    take_pieces(all, n, false);
    for (size_t i = 0; i < n; i++)
        save_and_restore(all->s[i]);
    take_pieces(all, n, false);
    take_pieces(all, n, true);
    end_streams_like_sodium(all, n);
}

static void check_many_unequal(void)
{
    static const size_t bounds[] = {1, 64, 200, 1000, 20000};
    struct streams all = {0};

    for (size_t n = 0; n <= STREAMS_MAX; n++)
        for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
            for (size_t i = 0; i < n; i++)
                all.lens[i] = next_random() % (bounds[b] + 1);
            assert_streams_like_sodium(&all, n);
        }
}

static void test_sha256_many__takes_many_streams_of_unequal_lengths(void **state)
{
    (void)state;
    with_each_kernel(check_many_unequal);
}

/* Around the ends of blocks and of the turns that streams take. */
static void check_many_equal(void)
{
    static const size_t lens[] = {63, 64, 65, 127, 128, 4095, 4096, 4097, 8192 + 64};
    struct streams all = {0};

    for (size_t n = 1; n <= 20; n++)
        for (size_t j = 0; j < sizeof lens / sizeof lens[0]; j++) {
            for (size_t i = 0; i < n; i++)
                all.lens[i] = lens[j];
            start_streams(&all, n);
            take_pieces(&all, n, true);
            end_streams_like_sodium(&all, n);
        }
}

static void test_sha256_many__takes_many_streams_of_one_length(void **state)
{
    (void)state;
    with_each_kernel(check_many_equal);
}

static void test_sha256_many__takes_one_long_stream_among_short_ones(void **state)
{
    struct streams all = {0};

    (void)state;
    for (size_t at = 0; at < STREAMS_MAX; at++) {
        for (size_t i = 0; i < STREAMS_MAX; i++)
            all.lens[i] = i == at ? 300000 : 100;
        assert_streams_like_sodium(&all, STREAMS_MAX);
    }
}

static void test_sha256_many__leaves_states_alone_that_take_nothing(void **state)
{
    mlr_sha256 a, b, *s[] = {&a, &b};
    const void *data[] = {NULL, "x"};
    const size_t lens[] = {0, 1};
    uint8_t ours[32], theirs[32];

    (void)state;
    mlr_sha256_update_many(NULL, NULL, NULL, 0);
    mlr_sha256_init(&a);
    mlr_sha256_init(&b);
    mlr_sha256_update_many(s, data, lens, 2);
    mlr_sha256_final(&a, ours);
    crypto_hash_sha256(theirs, NULL, 0);
    assert_memory_equal(ours, theirs, sizeof ours);
    mlr_sha256_final(&b, ours);
    crypto_hash_sha256(theirs, (const unsigned char *)"x", 1);
    assert_memory_equal(ours, theirs, sizeof ours);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void test_sha256_many__uses_what_is_fastest_for_so_many_streams(void **state)
{
    size_t n_kernels, used;
    const mlr_sha256_kernel *k = mlr_sha256_kernels(&n_kernels);

    (void)state;
    mlr_sha256_use(NULL);
    for (size_t n = 1; n <= STREAMS_MAX; n++) {
        for (used = 0; strcmp(k[used].name, mlr_sha256_in_use(n)) != 0; used++)
            ;
        assert_true(k[used].usable());
        for (size_t i = 0; i < n_kernels; i++)
            if (k[i].usable())
                assert_true(k[used].cycles * least(k[i].lanes, n) <= k[i].cycles * least(k[used].lanes, n));
    }
}

static void test_sha256_many__has_no_kernel_of_more_lanes_than_it_says(void **state)
{
    size_t n;
    const mlr_sha256_kernel *k = mlr_sha256_kernels(&n);

    (void)state;
    for (size_t i = 0; i < n; i++)
        assert_in_range(k[i].lanes, 1, MLR_SHA256_SIDE_BY_SIDE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_many__takes_many_streams_of_unequal_lengths),
        cmocka_unit_test(test_sha256_many__takes_many_streams_of_one_length),
        cmocka_unit_test(test_sha256_many__takes_one_long_stream_among_short_ones),
        cmocka_unit_test(test_sha256_many__leaves_states_alone_that_take_nothing),
        cmocka_unit_test(test_sha256_many__uses_what_is_fastest_for_so_many_streams),
        cmocka_unit_test(test_sha256_many__has_no_kernel_of_more_lanes_than_it_says),
    };

    return cmocka_run_group_tests_name("codec/sha256_many", tests, NULL, NULL);
}
