/* tests/base/test_error.c - errors: first cause stays, one clean line, no memory needed for the worst. */
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"

static void test_error__set_gives_code_and_message(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    assert_int_equal(mlr_error_set(&e, MLREG_ENOTFOUND, "no %s in %d places", "tag", 3), MLREG_ENOTFOUND);
    assert_int_equal(e->code, MLREG_ENOTFOUND);
    assert_string_equal(e->message, "no tag in 3 places");
    assert_null(e->hint);
    mlr_error_done(e);
}

static void test_error__nobody_wants_to_know(void **state)
{
    (void)state;
    assert_int_equal(mlr_error_set(NULL, MLREG_EIO, "x"), MLREG_EIO);
    assert_int_equal(mlr_error_nomem(NULL), MLREG_ENOMEM);
    assert_int_equal(mlr_error_errno(NULL, ENOENT, "x"), MLREG_ENOTFOUND);
    assert_int_equal(mlr_error_hint(NULL, MLREG_EIO, "x"), MLREG_EIO);
    mlr_error_done(NULL);
}

static void test_error__the_first_cause_stays(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    mlr_error_set(&e, MLREG_EDIGEST, "first");
    assert_int_equal(mlr_error_set(&e, MLREG_EIO, "second"), MLREG_EDIGEST);   /* code and error always agree */
    assert_int_equal(mlr_error_errno(&e, EIO, "third"), MLREG_EDIGEST);
    assert_int_equal(mlr_error_nomem(&e), MLREG_EDIGEST);
    assert_string_equal(e->message, "first");
    mlr_error_done(e);
}

static void test_error__control_characters_are_replaced(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    mlr_error_set(&e, MLREG_EPROTO, "%s", "a\nb\r\x1b[31m\x7f\xc2\x9b\xe2\x80\xae\xff ü");
    assert_string_equal(e->message, "a?b??[31m???? ü");
    mlr_error_hint(&e, MLREG_EPROTO, "x\ty");
    assert_string_equal(e->hint, "x?y");
    mlr_error_subject(&e, MLREG_EPROTO, "p\nq");
    assert_string_equal(e->subject, "p?q");
    mlr_error_done(e);
}

static void test_error__a_long_message_is_cut_at_a_character(void **state)
{
    mlreg_error *e = NULL;
    char         text[2 * 3000 + 1];
    size_t       len;

    (void)state;
    for (int i = 0; i < 3000; i++)
        memcpy(text + 2 * i, "\xc3\xbc", 3);
    mlr_error_set(&e, MLREG_EPROTO, "%s", text);
    len = strlen(e->message);
    assert_in_range(len, 2045, 2048);
    assert_string_equal(e->message + len - 5, "\xc3\xbc...");
    mlr_error_done(e);
}

static void test_error__a_message_at_the_cap_is_whole(void **state)
{
    mlreg_error *e = NULL;
    char         text[2049];

    (void)state;
    memset(text, 'a', 2048);
    text[2048] = '\0';
    mlr_error_set(&e, MLREG_EPROTO, "%s", text);
    assert_string_equal(e->message, text);
    mlr_error_done(e);
}

static void test_error__errno_becomes_a_code(void **state)
{
    static const struct {
        int errnum, code, has_hint;
    } cases[] = {
        {ENOMEM, MLREG_ENOMEM, 0},  {ENOENT, MLREG_ENOTFOUND, 0}, {EACCES, MLREG_EDENIED, 0}, {EPERM, MLREG_EDENIED, 0},
        {EROFS, MLREG_EDENIED, 1},  {EEXIST, MLREG_EEXISTS, 0},   {EIO, MLREG_EIO, 0},        {ENOSPC, MLREG_EIO, 1},
        {EDQUOT, MLREG_EIO, 1},     {EMFILE, MLREG_EIO, 1},       {ENOTDIR, MLREG_EIO, 1}, {ELOOP, MLREG_EIO, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlreg_error *e = NULL;

        assert_int_equal(mlr_error_errno(&e, cases[i].errnum, "/some/file"), cases[i].code);
        assert_int_equal(e->code, cases[i].code);
        assert_int_equal(e->hint != NULL, cases[i].has_hint);
        mlr_error_done(e);
    }
}

static void test_error__errno_survives_a_long_path(void **state)
{
    mlreg_error *e = NULL;
    char         path[4096];

    (void)state;
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    mlr_error_errno(&e, ENOSPC, "%s", path);
    assert_non_null(strstr(e->message, ": No space left on device"));
    mlr_error_done(e);
}

static void test_error__additions_fill_only_what_is_empty(void **state)
{
    mlreg_error *e = NULL;
    int          rc = mlr_error_set(&e, MLREG_EAUTH, "refused");

    (void)state;
    assert_int_equal(mlr_error_http(&e, rc, 401, "UNAUTHORIZED"), rc);
    assert_int_equal(mlr_error_http(&e, rc, 500, "OTHER"), rc);
    assert_int_equal(mlr_error_at(&e, rc, "ghcr.io"), rc);
    assert_int_equal(mlr_error_at(&e, rc, "elsewhere"), rc);
    assert_int_equal(mlr_error_subject(&e, rc, "team/llama:v1"), rc);
    assert_int_equal(mlr_error_subject(&e, rc, "other"), rc);
    assert_int_equal(mlr_error_hint(&e, rc, "log in to %s", "ghcr.io"), rc);
    assert_int_equal(mlr_error_hint(&e, rc, "other"), rc);
    assert_int_equal(e->http_status, 401);
    assert_string_equal(e->registry_code, "UNAUTHORIZED");
    assert_string_equal(e->place, "ghcr.io");
    assert_string_equal(e->subject, "team/llama:v1");
    assert_string_equal(e->hint, "log in to ghcr.io");
    mlr_error_done(e);
}

static void test_error__additions_do_nothing_to_a_success(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    assert_int_equal(mlr_error_hint(&e, 0, "x"), 0);
    assert_int_equal(mlr_error_at(&e, 7, "x"), 7);
    assert_null(e);
    mlr_error_set(&e, MLREG_EIO, "x");
    assert_int_equal(mlr_error_at(&e, 0, "place"), 0);
    assert_null(e->place);
    mlr_error_done(e);
}

static void test_error__move_keeps_what_is_there(void **state)
{
    mlreg_error *a = NULL, *b = NULL, *c = NULL;

    (void)state;
    mlr_error_set(&a, MLREG_EIO, "a");
    mlr_error_set(&b, MLREG_EIO, "b");
    mlr_error_move(&c, &a);
    assert_null(a);
    assert_string_equal(c->message, "a");
    mlr_error_move(&c, &b);
    assert_null(b);
    assert_string_equal(c->message, "a");
    mlr_error_move(NULL, &c);
    assert_null(c);
    mlr_error_move(&c, &a);
    assert_null(c);
}

static int left;   /* how many more allocations succeed */

static void *failing_resize(void *user, void *p, size_t bytes)
{
    (void)user;
    return left-- > 0 ? realloc(p, bytes) : NULL;
}

static void failing_release(void *user, void *p)
{
    (void)user;
    free(p);
}

static const mlr_allocator failing = {failing_resize, failing_release, NULL};

static void test_error__without_memory_there_is_still_an_error(void **state)
{
    (void)state;
    mlr_alloc_use(&failing);
    for (int succeed = 0; succeed < 2; succeed++) {
        mlreg_error *e = NULL;

        left = succeed;
        assert_int_equal(mlr_error_set(&e, MLREG_EIO, "x"), MLREG_ENOMEM);
        assert_int_equal(e->code, MLREG_ENOMEM);
        assert_string_equal(e->message, "out of memory");
        left = 100;
        mlr_error_hint(&e, MLREG_ENOMEM, "x");   /* the static one takes nothing */
        mlr_error_subject(&e, MLREG_ENOMEM, "x");
        mlr_error_http(&e, MLREG_ENOMEM, 500, "x");
        assert_null(e->hint);
        assert_null(e->subject);
        assert_int_equal(e->http_status, 0);
        mlr_error_done(e);
        mlr_error_done(e);                       /* survives being freed */
        assert_string_equal(e->message, "out of memory");
    }
    mlr_alloc_use(NULL);
}

static void test_error__an_addition_without_memory_is_left_out(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    mlr_alloc_use(&failing);
    left = 2;
    assert_int_equal(mlr_error_errno(&e, ENOSPC, "x"), MLREG_EIO);
    assert_null(e->hint);
    assert_int_equal(mlr_error_at(&e, MLREG_EIO, "p"), MLREG_EIO);
    assert_null(e->place);
    mlr_error_done(e);
    mlr_alloc_use(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error__set_gives_code_and_message),
        cmocka_unit_test(test_error__nobody_wants_to_know),
        cmocka_unit_test(test_error__the_first_cause_stays),
        cmocka_unit_test(test_error__control_characters_are_replaced),
        cmocka_unit_test(test_error__a_long_message_is_cut_at_a_character),
        cmocka_unit_test(test_error__a_message_at_the_cap_is_whole),
        cmocka_unit_test(test_error__errno_becomes_a_code),
        cmocka_unit_test(test_error__errno_survives_a_long_path),
        cmocka_unit_test(test_error__additions_fill_only_what_is_empty),
        cmocka_unit_test(test_error__additions_do_nothing_to_a_success),
        cmocka_unit_test(test_error__move_keeps_what_is_there),
        cmocka_unit_test(test_error__without_memory_there_is_still_an_error),
        cmocka_unit_test(test_error__an_addition_without_memory_is_left_out),
    };
    return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
