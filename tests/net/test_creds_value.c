/* tests/net/test_creds_value.c - one set of credentials: checked, filled, wiped. */
#include "net/creds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"

static void test_creds_value__a_second_set_replaces_the_first(void **state)
{
    mlr_creds c = {0};

    (void)state;
    assert_int_equal(mlr_creds_set(&c, MLR_CREDS_BASIC, "ann", "s3cret", NULL), 0);
    assert_int_equal(c.kind, MLR_CREDS_BASIC);
    assert_string_equal(c.name, "ann");
    assert_string_equal(c.secret, "s3cret");
    assert_int_equal(mlr_creds_set(&c, MLR_CREDS_BEARER, NULL, "tok", NULL), 0);
    assert_int_equal(c.kind, MLR_CREDS_BEARER);
    assert_null(c.name);
    assert_string_equal(c.secret, "tok");
    mlr_creds_done(&c);
    assert_int_equal(c.kind, MLR_CREDS_NONE);
    assert_null(c.secret);
}

static void test_creds_value__refuses_what_a_header_cannot_carry(void **state)
{
    static const struct {
        mlr_creds_kind kind;
        const char    *name, *secret;
    } bad[] = {
        {MLR_CREDS_BASIC, "ann", "hunter2\n"}, {MLR_CREDS_BASIC, "ann\r\nX: y", "hunter2"},
        {MLR_CREDS_BASIC, "an:n", "hunter2"},  {MLR_CREDS_BASIC, "ann", "hunter2\x7f"},
        {MLR_CREDS_BEARER, NULL, "hunter2 x"}, {MLR_CREDS_IDENTITY, NULL, "hunter2\x01"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mlr_creds    c = {0};
        mlreg_error *e = NULL;

        assert_int_equal(mlr_creds_set(&c, MLR_CREDS_BASIC, "old", "stays", NULL), 0);
        assert_int_equal(mlr_creds_set(&c, bad[i].kind, bad[i].name, bad[i].secret, &e), MLREG_EINVAL);
        assert_null(strstr(e->message, "hunter2"));
        assert_string_equal(c.secret, "stays");
        mlr_error_done(e);
        mlr_creds_done(&c);
    }
}

static void *wiped_at;
static bool  was_wiped;

static void *resize(void *user, void *p, size_t bytes)
{
    (void)user;
    return realloc(p, bytes);
}

static void release(void *user, void *p)
{
    (void)user;
    if (p != NULL && p == wiped_at)
        was_wiped = memcmp(p, "\0\0\0\0\0\0", 6) == 0;
    free(p);
}

static void test_creds_value__a_secret_is_zeroes_before_it_is_freed(void **state)
{
    const mlr_allocator watched = {resize, release, NULL};
    mlr_creds           c = {0};

    (void)state;
    mlr_alloc_use(&watched);
    assert_int_equal(mlr_creds_set(&c, MLR_CREDS_BASIC, "ann", "s3cret", NULL), 0);
    wiped_at = c.secret;
    mlr_creds_done(&c);
    mlr_alloc_use(NULL);
    assert_true(was_wiped);
}

static size_t allocations_left;

static void *resize_some(void *user, void *p, size_t bytes)
{
    (void)user;
    return allocations_left-- > 0 ? realloc(p, bytes) : (allocations_left = 0, NULL);
}

static void test_creds_value__out_of_memory_leaves_what_was_there(void **state)
{
    const mlr_allocator scarce = {resize_some, release, NULL};
    mlr_creds           c = {0};

    (void)state;
    assert_int_equal(mlr_creds_set(&c, MLR_CREDS_BASIC, "old", "stays", NULL), 0);
    for (size_t n = 0; n < 2; n++) {
        allocations_left = n;
        mlr_alloc_use(&scarce);
        int rc = mlr_creds_set(&c, MLR_CREDS_BASIC, "ann", "s3cret", NULL);
        mlr_alloc_use(NULL);
        assert_int_equal(rc, MLREG_ENOMEM);
        assert_string_equal(c.name, "old");
        assert_string_equal(c.secret, "stays");
    }
    mlr_creds_done(&c);
}

static void test_creds_value__is_encoded_as_basic_has_it(void **state)
{
    mlr_buf b = MLR_BUF_INIT(100);

    (void)state;
    assert_int_equal(mlr_buf_puts(&b, "Basic ", NULL), 0);
    assert_int_equal(mlr_creds_encode("Aladdin", "open sesame", &b, NULL), 0);
    assert_string_equal(b.data, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");          /* RFC 7617 */
    assert_int_equal(mlr_creds_encode("Aladdin", "a secret longer than what is left of the hundred bytes", &b, NULL),
        MLREG_ELIMIT);
    mlr_buf_wipe(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_creds_value__a_second_set_replaces_the_first),
        cmocka_unit_test(test_creds_value__refuses_what_a_header_cannot_carry),
        cmocka_unit_test(test_creds_value__a_secret_is_zeroes_before_it_is_freed),
        cmocka_unit_test(test_creds_value__is_encoded_as_basic_has_it),
        cmocka_unit_test(test_creds_value__out_of_memory_leaves_what_was_there),
    };
    return cmocka_run_group_tests_name("net/creds_value", tests, NULL, NULL);
}
