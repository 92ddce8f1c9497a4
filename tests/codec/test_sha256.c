/* tests/codec/test_sha256.c - every kernel against the standard's vectors and, on all else, libsodium. */
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

#define BIG_BYTES (1u << 20)
#define GIB ((uint64_t)1 << 30)

static void hash(const void *data, size_t len, uint8_t out[32])
{
    mlr_sha256 s;

    mlr_sha256_init(&s);
    mlr_sha256_update(&s, data, len);
    mlr_sha256_final(&s, out);
}

static void assert_like_sodium(const uint8_t *data, size_t len)
{
    uint8_t ours[32], theirs[32];

    hash(data, len, ours);
    crypto_hash_sha256(theirs, data, len);
    assert_memory_equal(ours, theirs, sizeof ours);
}

static void assert_vector(const void *data, size_t len, const char *hex)
{
    uint8_t sum[32];
    char text[65];

    hash(data, len, sum);
    assert_string_equal(sodium_bin2hex(text, sizeof text, sum, sizeof sum), hex);
}

/* FIPS 180-4's examples: one block, two blocks, a million letters; and the empty message. */
static void check_vectors(void)
{
    static char million[1000000];

    memset(million, 'a', sizeof million);
    assert_vector("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_vector("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_vector("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_vector("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", 112,
                  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    assert_vector(million, sizeof million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_sha256__gives_the_standards_sums(void **state)
{
    (void)state;
    with_each_kernel(check_vectors);
}

static void check_lengths(void)
{
    uint8_t *data = random_bytes(BIG_BYTES);

    for (size_t len = 0; len <= 300; len++)
        assert_like_sodium(data, len);
    for (size_t len = BIG_BYTES - 130; len <= BIG_BYTES; len += 13)
        assert_like_sodium(data, len);
    free(data);
}

static void test_sha256__equals_libsodium_at_every_length(void **state)
{
    (void)state;
    with_each_kernel(check_lengths);
}

static void check_alignments(void)
{
    for (size_t at = 0; at < 64; at++) {
        uint8_t *data = aligned_alloc(64, 64 + 320);    /* ends with the room: a read past it is seen by ASan */

        assert_non_null(data);
        for (size_t i = 0; i < 64 + 320; i++)
            data[i] = (uint8_t)next_random();
        assert_like_sodium(data + at, 320);
        assert_like_sodium(data + at, 64 + 320 - at);
        free(data);
    }
}

static void test_sha256__equals_libsodium_at_every_alignment(void **state)
{
    (void)state;
    with_each_kernel(check_alignments);
}

static void check_every_split(void)
{
    uint8_t *data = random_bytes(200), whole[32], split[32];

    hash(data, 200, whole);
    for (size_t first = 0; first <= 200; first++)
        for (size_t second = first; second <= 200; second++) {
            mlr_sha256 s;

            mlr_sha256_init(&s);
            mlr_sha256_update(&s, data, first);
            mlr_sha256_update(&s, data + first, second - first);
            mlr_sha256_update(&s, data + second, 200 - second);
            mlr_sha256_final(&s, split);
            assert_memory_equal(split, whole, sizeof whole);
        }
    free(data);
}

static void test_sha256__does_not_see_where_the_pieces_end(void **state)
{
    (void)state;
    with_each_kernel(check_every_split);
}

static void check_random_splits(void)
{
    uint8_t *data = random_bytes(BIG_BYTES), whole[32], split[32];

    crypto_hash_sha256(whole, data, BIG_BYTES);
    for (int run = 0; run < 3; run++) {
        mlr_sha256 s;

        mlr_sha256_init(&s);
        for (size_t at = 0, piece; at < BIG_BYTES; at += piece) {
            piece = next_random() % (run == 0 ? 100 : run == 1 ? 1000 : 100000);
            piece = piece < BIG_BYTES - at ? piece : BIG_BYTES - at;
            mlr_sha256_update(&s, data + at, piece);
        }
        mlr_sha256_final(&s, split);
        assert_memory_equal(split, whole, sizeof whole);
    }
    free(data);
}

static void test_sha256__takes_random_pieces_of_a_large_message(void **state)
{
    (void)state;
    with_each_kernel(check_random_splits);
}

static void test_sha256__takes_nothing_from_null(void **state)
{
    mlr_sha256 s;
    uint8_t got[32], want[32];

    (void)state;
    mlr_sha256_init(&s);
    mlr_sha256_update(&s, NULL, 0);
    mlr_sha256_update(&s, "x", 1);
    mlr_sha256_update(&s, NULL, 0);
    mlr_sha256_final(&s, got);
    crypto_hash_sha256(want, (const unsigned char *)"x", 1);
    assert_memory_equal(got, want, sizeof want);
}

static void check_copy(void)
{
    mlr_sha256 a, b;
    uint8_t sum_a[32], sum_b[32];

    mlr_sha256_init(&a);
    mlr_sha256_update(&a, "one and ", 8);
    b = a;
    mlr_sha256_update(&a, "two", 3);
    mlr_sha256_update(&b, "three", 5);
    mlr_sha256_final(&a, sum_a);
    mlr_sha256_final(&b, sum_b);
    assert_vector("one and two", 11, sodium_bin2hex((char[65]){0}, 65, sum_a, 32));
    assert_vector("one and three", 13, sodium_bin2hex((char[65]){0}, 65, sum_b, 32));
}

static void test_sha256__copies_go_their_own_ways(void **state)
{
    (void)state;
    with_each_kernel(check_copy);
}

static void check_save_everywhere(void)
{
    uint8_t *data = random_bytes(200), whole[32], resumed[32], saved[MLR_SHA256_SAVED_BYTES];

    crypto_hash_sha256(whole, data, 200);
    for (size_t at = 0; at <= 200; at++) {
        mlr_sha256 before, after;

        mlr_sha256_init(&before);
        mlr_sha256_update(&before, data, at);
        mlr_sha256_save(&before, saved);
        memset(&after, 0xee, sizeof after);
        assert_true(mlr_sha256_restore(&after, saved));
        mlr_sha256_update(&after, data + at, 200 - at);
        mlr_sha256_final(&after, resumed);
        assert_memory_equal(resumed, whole, sizeof whole);
    }
    free(data);
}

static void test_sha256__goes_on_from_any_saved_state(void **state)
{
    (void)state;
    with_each_kernel(check_save_everywhere);
}

/* The saved form is written to journals that other processors may read: its bytes are fixed. */
static void test_sha256__saves_in_one_fixed_form(void **state)
{
    static const uint8_t start[32] = {0x6a, 0x09, 0xe6, 0x67, 0xbb, 0x67, 0xae, 0x85, 0x3c, 0x6e, 0xf3,
                                      0x72, 0xa5, 0x4f, 0xf5, 0x3a, 0x51, 0x0e, 0x52, 0x7f, 0x9b, 0x05,
                                      0x68, 0x8c, 0x1f, 0x83, 0xd9, 0xab, 0x5b, 0xe0, 0xcd, 0x19};
    uint8_t saved[MLR_SHA256_SAVED_BYTES], want[MLR_SHA256_SAVED_BYTES] = {0};
    mlr_sha256 s;

    (void)state;
    mlr_sha256_init(&s);
    mlr_sha256_update(&s, "abc", 3);
    mlr_sha256_save(&s, saved);
    memcpy(want, start, sizeof start);
    want[39] = 3;
    memcpy(want + 40, "abc", 3);
    assert_memory_equal(saved, want, sizeof want);
}

static void test_sha256__saves_no_leftovers_of_earlier_blocks(void **state)
{
    uint8_t *data = random_bytes(100), in_pieces[MLR_SHA256_SAVED_BYTES], at_once[MLR_SHA256_SAVED_BYTES];
    mlr_sha256 a, b;

    (void)state;
    mlr_sha256_init(&a);
    mlr_sha256_update(&a, data, 60);
    mlr_sha256_update(&a, data + 60, 10);
    mlr_sha256_save(&a, in_pieces);
    mlr_sha256_init(&b);
    mlr_sha256_update(&b, data, 70);
    mlr_sha256_save(&b, at_once);
    assert_memory_equal(in_pieces, at_once, sizeof at_once);
    free(data);
}

static void test_sha256__restores_nothing_that_save_does_not_write(void **state)
{
    uint8_t saved[MLR_SHA256_SAVED_BYTES], bad[MLR_SHA256_SAVED_BYTES];
    mlr_sha256 s, before;

    (void)state;
    mlr_sha256_init(&s);
    mlr_sha256_update(&s, "abc", 3);
    mlr_sha256_save(&s, saved);
    before = s;
    for (size_t at = 40 + 3; at < sizeof saved; at++) {       /* a waiting byte beyond the count */
        memcpy(bad, saved, sizeof bad);
        bad[at] = 1;
        assert_false(mlr_sha256_restore(&s, bad));
    }
    memcpy(bad, saved, sizeof bad);
    bad[32] = 0x20;                                           /* 2^61 bytes have no length in 64 bits */
    assert_false(mlr_sha256_restore(&s, bad));
    assert_memory_equal(&s, &before, sizeof s);
    bad[32] = 0x1f;
    assert_true(mlr_sha256_restore(&s, bad));
}

/* Takes up both at `bytes` taken, by hand, for nobody wants to wait for 5 GiB, and lets them hash a little more. */
static void assert_like_sodium_after(uint64_t bytes)
{
    uint8_t saved[MLR_SHA256_SAVED_BYTES] = {0}, *data = random_bytes(300), ours[32], theirs[32];
    crypto_hash_sha256_state sodium;
    mlr_sha256 s;

    crypto_hash_sha256_init(&sodium);
    sodium.count = bytes * 8;
    memcpy(sodium.buf, data, bytes % 64);
    crypto_hash_sha256_update(&sodium, data, 300);
    crypto_hash_sha256_final(&sodium, theirs);

    mlr_sha256_init(&s);
    mlr_sha256_save(&s, saved);
    for (int i = 0; i < 8; i++)
        saved[32 + i] = (uint8_t)(bytes >> (56 - 8 * i));
    memcpy(saved + 40, data, bytes % 64);
    assert_true(mlr_sha256_restore(&s, saved));
    mlr_sha256_update(&s, data, 300);
    mlr_sha256_final(&s, ours);
    assert_memory_equal(ours, theirs, sizeof ours);
    free(data);
}

static void check_large_counts(void)
{
    static const uint64_t counts[] = {GIB / 2 - 1,  GIB / 2,      GIB / 2 + 1,     4 * GIB - 100, 4 * GIB,
                                      4 * GIB + 63, 5 * GIB + 17, GIB * GIB - 301, GIB * GIB};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        assert_like_sodium_after(counts[i]);
}

static void test_sha256__counts_past_4_gib(void **state)
{
    (void)state;
    with_each_kernel(check_large_counts);
}

static void test_sha256__last_kernel_is_always_usable(void **state)
{
    size_t n;
    const mlr_sha256_kernel *k = mlr_sha256_kernels(&n);

    (void)state;
    assert_true(n >= 1);
    assert_true(k[n - 1].usable());
    assert_string_equal(k[n - 1].name, "sodium");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256__gives_the_standards_sums),
        cmocka_unit_test(test_sha256__equals_libsodium_at_every_length),
        cmocka_unit_test(test_sha256__equals_libsodium_at_every_alignment),
        cmocka_unit_test(test_sha256__does_not_see_where_the_pieces_end),
        cmocka_unit_test(test_sha256__takes_random_pieces_of_a_large_message),
        cmocka_unit_test(test_sha256__takes_nothing_from_null),
        cmocka_unit_test(test_sha256__copies_go_their_own_ways),
        cmocka_unit_test(test_sha256__goes_on_from_any_saved_state),
        cmocka_unit_test(test_sha256__saves_in_one_fixed_form),
        cmocka_unit_test(test_sha256__saves_no_leftovers_of_earlier_blocks),
        cmocka_unit_test(test_sha256__restores_nothing_that_save_does_not_write),
        cmocka_unit_test(test_sha256__counts_past_4_gib),
        cmocka_unit_test(test_sha256__last_kernel_is_always_usable),
    };

    return cmocka_run_group_tests_name("codec/sha256", tests, NULL, NULL);
}
